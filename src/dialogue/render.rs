//! Facts as lines of a prompt: what seldom changes first, so that the cached part of a prompt stays long.

use super::ground::Scene;
use super::nouns::Fit;
use super::prompt_build::Sight;
use super::things::{self, Surety};
use super::{ground_more as more, nouns};
use crate::base::MediaTime;
use crate::watch::Unusable;

/// Kinds of objects in the list.
const MOST_KINDS: usize = 8;

/// The lines about what can be seen. Never empty.
pub(crate) fn lines(sight: Sight<'_>, now: MediaTime) -> Vec<String> {
    let (head, facts) = match sight {
        Sight::Live(facts) => ("What the camera shows right now:", facts),
        Sight::Picture(facts) => ("What the picture shows:", facts),
        Sight::PictureLate => return vec!["The picture is still being looked at.".to_owned()],
        Sight::PictureFailed => return vec!["The picture could not be opened.".to_owned()],
        Sight::NotYet => return vec!["The camera has shown nothing yet.".to_owned()],
        Sight::Lost => return vec!["The camera has stopped.".to_owned()],
        Sight::None => return vec!["There is no camera.".to_owned()],
        Sight::Memory(lines) => return lines.to_vec(),
    };
    match facts.unusable {
        Some(Unusable::Dark) => return vec![head.to_owned(), "nothing: it is too dark.".to_owned()],
        Some(Unusable::Blank) => return vec![head.to_owned(), "nothing: the camera seems to be covered.".to_owned()],
        None => {}
    }
    let scene = Scene { facts, spoken_of: "", now };
    let mut lines = vec![head.to_owned()];
    let objects = things::objects(facts);
    // What the detector calls the same is in its own list already, with its place.
    let listed = |l: &things::Thing<'_>| objects.iter().any(|o| o.fit(l.name) == Some(Fit::Same));
    let named = things::labels(facts).into_iter().filter(|l| things::is_whole(l.bbox) && !listed(l));
    let named: Vec<_> = named.take(2).collect();
    lines.extend(naming(&named));
    if !objects.is_empty() {
        lines.push(format!("- {}", things::list(&objects, MOST_KINDS, true)));
    }
    let texts = more::texts(&scene);
    if !texts.is_empty() {
        lines.push(format!("- text: \"{}\"", texts.join(" / ")));
    }
    let colours = more::colours(&scene);
    if !colours.is_empty() {
        let names: Vec<_> = colours.iter().map(|c| c.name().to_owned()).collect();
        lines.push(format!("- colours: mostly {}", things::and(&names)));
    }
    let moving: Vec<_> = objects
        .iter()
        .filter_map(|t| things::motion(t.motion).map(|m| format!("the {} is {m}", t.name)))
        .take(3)
        .collect();
    if !moving.is_empty() {
        lines.push(format!("- {}", things::and(&moving)));
    }
    if let Some(change) = more::recent(&scene).first() {
        lines.push(format!("- {change}"));
    }
    if lines.len() == 1 {
        lines.push("- nothing that is known".to_owned());
    }
    lines
}

/// What the whole picture is taken to be, as surely as it is known.
fn naming(named: &[things::Thing<'_>]) -> Option<String> {
    let article = |t: &things::Thing<'_>| nouns::with_article(t.name);
    match named {
        [first, ..] if first.surety == Surety::Sure => Some(format!("- mainly {}", article(first))),
        [a, b] if a.surety == Surety::Unsure => Some(format!("- perhaps {} or {}", article(a), article(b))),
        [first, ..] => Some(format!("- probably {}", article(first))),
        [] => None,
    }
}
