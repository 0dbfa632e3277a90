//! Media plugins, weights, the page, and what a browser needs.

use super::{Check, Verdict};
use crate::config::Config;
use crate::decode::{self, DecodeConfig};
use crate::weights::{FileState, Manifest, Role, Store};

pub(super) fn checks(config: &Config) -> Vec<Check> {
    let mut all = media(config);
    all.extend(weights(config));
    all.push(page(config));
    all.push(browser(config));
    all
}

/// GStreamer: every graph is built once.
fn media(config: &Config) -> Vec<Check> {
    const INSTALL: &str = "`make setup` installs everything; or install the package named here";
    let config = DecodeConfig { pipelines_dir: config.decode.pipelines_dir.clone(), ..DecodeConfig::default() };
    let inventory = match decode::check(&config) {
        Ok(inventory) => inventory,
        Err(e) => return vec![Check::bad("media", e.to_string(), INSTALL)],
    };
    let codecs: Vec<_> = inventory.available.iter().map(|c| c.name()).collect();
    let mut all = vec![Check::good("media", format!("{}: {}", inventory.version, codecs.join(", ")))];
    for (codec, why) in &inventory.unavailable {
        all.push(Check::warn("media", format!("{} is not offered to browsers: {why}", codec.name()), INSTALL));
    }
    if let Some(why) = &inventory.file {
        all.push(Check::warn("media", format!("`sightline ask` cannot read files: {why}"), INSTALL));
    }
    all
}

fn weights(config: &Config) -> Vec<Check> {
    let manifest = match Manifest::of(&config.models.dir) {
        Ok(m) => m,
        Err(e) => return vec![Check::bad("weights", e.to_string(), "mend what it names")],
    };
    let store = Store::new(&config.models.dir);
    let m = &config.models;
    let names = [&m.llm, &m.asr, &m.detector, &m.classifier, &m.ocr, &m.embedder];
    let check = |name: &String| match manifest.find(name) {
        Err(e) => Check::bad("weights", e.to_string(), "choose one of `sightline models list`"),
        Ok(model) => {
            let state = store.inspect(model);
            let problem = state.files.iter().find_map(|f| match &f.state {
                FileState::Damaged(why) => Some(format!(": {} {why}", f.name)),
                _ => None,
            });
            let found = format!("{name} ({}) is {}{}", model.role.name(), state.word(), problem.unwrap_or_default());
            match state.word() {
                "ready" => Check::good("weights", found),
                "unverified" => Check::warn(
                    "weights",
                    found,
                    "its SHA-256 is checked at the next start, or now: `sightline models verify`",
                ),
                _ => Check::bad("weights", found, format!("`sightline models pull {name}`")),
            }
        }
    };
    let mut all: Vec<Check> = names.into_iter().chain(&m.voice).map(check).collect();
    if m.voice.is_none() {
        let there = manifest.models.iter().find(|m| m.role == Role::Voice && store.inspect(m).word() != "missing");
        all.push(Check::good(
            "voice",
            match there {
                Some(voice) => {
                    format!("{} is installed: answers are spoken to clients that ask for sound", voice.name)
                }
                None => "none is installed: answers are text (`sightline models pull kokoro-82m` lets them be spoken)"
                    .to_owned(),
            },
        ));
    }
    all
}

fn page(config: &Config) -> Check {
    let index = config.server.web_root.join("index.html");
    if index.is_file() {
        Check::good("web page", format!("{}", index.display()))
    } else {
        Check::bad(
            "web page",
            format!("{} is not there", index.display()),
            "`make web` builds it; or set `server.web_root`",
        )
    }
}

/// What no server can see, so it is said every time.
fn browser(config: &Config) -> Check {
    let port = config.server.bind.port();
    let denied =
        "if camera or microphone was refused: click the icon left of the address, allow both, and reload the page";
    if config.server.tls.is_some() {
        let host = if config.server.bind.ip().is_loopback() { "localhost" } else { "this machine's address" };
        let warns = matches!(config.server.tls, Some(crate::config::Tls::SelfSigned { .. }));
        let once = if warns { "the browser warns of the certificate once: go on all the same; " } else { "" };
        return Check {
            name: "browser",
            verdict: Verdict::Good,
            found: format!("open https://{host}:{port}"),
            fix: format!("{once}{denied}"),
        };
    }
    if config.server.bind.ip().is_loopback() {
        return Check {
            name: "browser",
            verdict: Verdict::Good,
            found: format!("open http://localhost:{port} on this machine"),
            fix: denied.to_owned(),
        };
    }
    Check::warn(
        "browser",
        "pages get camera and microphone only from localhost or over HTTPS",
        format!(
            "from other machines set `server.tls_self_signed` = true, use a TLS proxy, or `ssh -L {port}:localhost:{port}` and http://localhost:{port}; {denied}"
        ),
    )
}
