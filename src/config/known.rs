//! Which key is meant by a path.

use super::keys::{KEYS, Key};

/// The key of this path.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|k| k.path == path)
}

/// The known path nearest to `path`, if any is near.
pub(super) fn nearest(path: &str) -> Option<&'static str> {
    let last = |p: &'static str| p.rsplit('.').next().unwrap_or(p);
    let score = |known: &'static str| {
        let whole = strsim::damerau_levenshtein(path, known);
        // A key written under the wrong section, or under none, is near when its own name is right.
        let name = strsim::damerau_levenshtein(path.rsplit('.').next().unwrap_or(path), last(known)) + 1;
        whole.min(name)
    };
    KEYS.iter().map(|k| (score(k.path), k.path)).min().filter(|(d, _)| *d <= 1 + path.len() / 4).map(|(_, p)| p)
}

/// Additional environment variables and the keys they set; weaker than `SIGHTLINE__…`.
pub(super) const ENV_ALIASES: &[(&str, &str)] =
    &[("SIGHTLINE_MODELS", "models.dir"), ("SIGHTLINE_MODEL_MIRROR", "models.mirror"), ("RUST_LOG", "telemetry.log")];
