//! Which candidates become hits, and what of each is told.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use super::caption;
use super::config::Config;
use super::digest::Digest;
use super::event::{Keyframe, Speaker};
use super::lexical::Lexicon;
use super::past::portrait;
use super::recall::{Candidate, Hit, Order, Query, Rated, later};
use super::span::{KeyframeId, Span};

/// Things below this are not what a stretch of time is remembered for.
const LEAST: f32 = 0.35;

/// Where only a span is asked for: what was shown then, that is, what is salient and not there all the time; different things first.
pub(super) fn by_span(candidates: &[Candidate<'_>], query: &Query<'_>, most: usize) -> Vec<Rated> {
    let common = Common::of(candidates);
    let mut rated: Vec<Rated> = candidates
        .iter()
        .enumerate()
        .map(|(index, c)| {
            let inside = query.span.map_or(1.0, |span| share(c.span, span));
            let text = if c.digest.texts.is_empty() { 0.0 } else { 0.2 };
            let said = if c.said.iter().any(|s| s.who == Speaker::Person) { 0.15 } else { 0.0 };
            let worth = 0.05 + common.salience(c.digest) + text + said;
            Rated { index, score: worth * (0.25 + 0.75 * inside), similarity: inside }
        })
        .collect();
    match query.order {
        Order::Best => rated.sort_by(|a, b| b.score.total_cmp(&a.score).then(later(candidates, a.index, b.index))),
        Order::First => rated.sort_by(|a, b| later(candidates, b.index, a.index)),
        Order::Last => rated.sort_by(|a, b| later(candidates, a.index, b.index)),
    }
    let mut rated = if query.order == Order::Best { varied(rated, candidates, most) } else { rated };
    rated.truncate(most);
    rated
}

/// The share of the shorter of the two that lies in both.
fn share(a: Span, b: Span) -> f32 {
    let shorter = a.length().min(b.length());
    if shorter.is_zero() { 1.0 } else { (a.shared(b).as_secs_f32() / shorter.as_secs_f32()).min(1.0) }
}

/// The best of each kind first, the others after them.
fn varied(rated: Vec<Rated>, candidates: &[Candidate<'_>], most: usize) -> Vec<Rated> {
    let mut kinds: Vec<(&str, Option<&str>)> = Vec::new();
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for r in rated {
        let digest = candidates[r.index].digest;
        let main = digest.salient().first().map_or("", |s| s.label.as_str());
        let kind = (main, digest.texts.first().map(|t| t.text.as_str()));
        if first.len() < most && !kinds.contains(&kind) {
            kinds.push(kind);
            first.push(r);
        } else if first.len() + rest.len() < most {
            rest.push(r);
        } else if first.len() >= most {
            break;
        }
    }
    first.extend(rest);
    first
}

/// In how many of the candidates each name stands.
struct Common<'m> {
    names: HashMap<&'m str, u32, BuildHasherDefault<DefaultHasher>>,
    all: f32,
}

impl<'m> Common<'m> {
    #[expect(clippy::cast_precision_loss, reason = "some thousand at most")]
    fn of(candidates: &[Candidate<'m>]) -> Self {
        let mut names = HashMap::default();
        for s in candidates.iter().flat_map(|c| &c.digest.things) {
            *names.entry(s.label.as_str()).or_insert(0) += 1;
        }
        Self { names, all: candidates.len() as f32 }
    }

    /// The most salient thing, less when it is there all the time: then it was not shown, it was around.
    #[expect(clippy::cast_precision_loss, reason = "some thousand at most")]
    fn salience(&self, digest: &Digest) -> f32 {
        let of = |label: &str| self.names.get(label).map_or(0.0, |n| *n as f32) / self.all.max(1.0);
        let around = |label: &str| if self.all < 4.0 { 0.0 } else { of(label).min(1.0) };
        let sure = digest.things.iter().filter(|s| s.confidence >= LEAST);
        sure.map(|s| digest.salience_of(s) * (1.0 - 0.7 * around(&s.label))).fold(0.0, f32::max)
    }
}

/// The hits, each with what of it lies in `span`; at most [`Config::most_recalled`] pictures in all, in turn.
pub(super) fn hits<'m>(
    candidates: &'m [Candidate<'m>],
    rated: &[Rated],
    span: Option<Span>,
    lexicon: &mut Lexicon<'_, 'm>,
    config: &Config,
) -> Vec<Hit> {
    let asked = span.unwrap_or(Span::ALWAYS);
    let mut pictures: Vec<Vec<KeyframeId>> =
        rated.iter().map(|r| pictures_of(&candidates[r.index], asked, lexicon)).collect();
    let mut left = config.most_recalled;
    let longest = pictures.iter().map(Vec::len).max().unwrap_or(0);
    let mut keep = vec![0_usize; pictures.len()];
    for turn in 0..longest {
        for (kept, list) in keep.iter_mut().zip(&pictures) {
            if left > 0 && list.len() > turn {
                *kept += 1;
                left -= 1;
            }
        }
    }
    pictures.iter_mut().zip(keep).for_each(|(list, n)| list.truncate(n));
    rated.iter().zip(pictures).map(|(r, keyframes)| hit(&candidates[r.index], r, asked, keyframes)).collect()
}

fn hit(c: &Candidate<'_>, r: &Rated, asked: Span, keyframes: Vec<KeyframeId>) -> Hit {
    let digest = c.digest.within(asked);
    let said: Vec<_> = c.said.iter().filter(|s| asked.contains(s.at)).cloned().collect();
    let caption = caption::of(&digest, &said);
    Hit {
        event: c.event,
        span: c.span,
        keyframes,
        digest,
        said,
        caption,
        score: r.score,
        similarity: r.similarity.clamp(0.0, 1.0),
        tier: c.tier,
    }
}

/// The pictures that stood during `asked`: first the one that shows what fits best, or what is most salient; then by time.
fn pictures_of<'m>(c: &'m Candidate<'m>, asked: Span, lexicon: &mut Lexicon<'_, 'm>) -> Vec<KeyframeId> {
    let stood = |i: usize, k: &Keyframe| {
        let end = c.pictures.get(i + 1).map_or(c.span.end, |next| next.at);
        Span::new(k.at, end.max(super::span::after(k.at))).overlaps(asked)
    };
    let mut out: Vec<&Keyframe> = c.pictures.iter().enumerate().filter(|(i, k)| stood(*i, k)).map(|(_, k)| k).collect();
    let mut best: Option<(f32, Span)> = None;
    if !lexicon.is_empty() {
        for s in &c.digest.things {
            let fit = lexicon.thing(s);
            if fit > best.map_or(0.2, |b| b.0) {
                best = Some((fit, s.span()));
            }
        }
    }
    let shown = match best {
        Some((_, span)) => out.iter().position(|k| span.contains(k.at)),
        None => portrait(c.pictures, c.digest).and_then(|i| out.iter().position(|k| k.id == c.pictures[i].id)),
    };
    if let Some(i) = shown {
        out[..=i].rotate_right(1);
    }
    out.into_iter().map(|k| k.id).collect()
}
