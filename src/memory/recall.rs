//! Finding what is asked for: the interval first, then what fits best.
//!
//! Floor: pure. In: a [`Query`]. Out: at most [`Config::most_recalled`] hits and as many pictures. Loses: what is below the floor.
//! Source: reciprocal-rank fusion, `Σ 1/(60 + rank)` (Cormack, Clarke, Büttcher, SIGIR 2009), over three rankings: cosine to the embedded
//! caption, cosine to the image, fit of words. Differs: equal values share a rank, so that a tie in one ranking is broken by the others;
//! and what is below the similarity floor is no hit, however it ranks, so that nothing is found where there is nothing.

use std::borrow::Cow;
use std::fmt;

use half::f16;

use super::config::Config;
use super::digest::Digest;
use super::event::{Child, Event, Keyframe, Said};
use super::lexical::{FitFn, Lexicon};
use super::ops::Tier;
use super::select;
use super::span::{KeyframeId, NodeId, Span};
use super::vector::{Scratch, unit};
use super::{Memory, windows};
use crate::watch::{Change, Colour};

/// The usual most of a recall.
pub const MOST_RECALLED: usize = 8;
/// The constant of reciprocal-rank fusion.
const RRF: f32 = 60.0;
/// Of first and last, only what fits at least this much as well as the best counts.
const NEAR_BEST: f32 = 0.75;

/// Which of the hits are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// The best fitting.
    #[default]
    Best,
    /// The oldest of those that fit about as well as the best.
    First,
    /// The newest of those.
    Last,
}

/// Something that was so or happened, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Has {
    /// Text was read.
    Text,
    /// A thing had this colour.
    Colour(Colour),
    /// It became brighter, or darker.
    Light {
        /// True: brighter.
        brighter: bool,
    },
}

impl Has {
    fn holds(self, digest: &Digest, span: Span) -> bool {
        match self {
            Self::Text => digest.texts.iter().any(|t| t.span().overlaps(span)),
            Self::Colour(colour) => digest.things.iter().any(|s| s.colour == Some(colour) && s.span().overlaps(span)),
            Self::Light { brighter } => {
                let light = Change::Light { brighter };
                digest.changes.iter().any(|c| c.change == light && span.contains(c.at))
            }
        }
    }
}

/// What is asked of the memory.
#[derive(Clone, Copy, Default)]
pub struct Query<'a> {
    /// Only what was in it. `None`: all of the past.
    pub span: Option<Span>,
    /// Words of content, with synonyms if the caller knows any; at most 32 count. Case and plurals do not matter.
    pub words: &'a [String],
    /// Embedding of the intent, by the encoder of captions.
    pub text: Option<&'a [f32]>,
    /// Embedding of a picture, by the encoder of pictures.
    pub image: Option<&'a [f32]>,
    /// How well a name (`mug`) fits what is asked for (`cup`), `0.0..=1.0`. Called once per name.
    pub fit: Option<FitFn<'a>>,
    /// All of the words are wanted, not any of them.
    pub all: bool,
    /// Only where this was so.
    pub has: Option<Has>,
    /// Most hits; at most [`Config::most_recalled`] whatever is said here.
    pub most: usize,
    /// Which hits.
    pub order: Order,
}

impl fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { span, words, most, order, .. } = self;
        f.debug_struct("Query")
            .field("span", span)
            .field("words", words)
            .field("most", most)
            .field("order", order)
            .finish_non_exhaustive()
    }
}

/// Something remembered that fits.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The event, or the child of a root; `None` for a look that belongs to no event.
    pub event: Option<NodeId>,
    /// When; it overlaps the span that was asked for.
    pub span: Span,
    /// Pictures that stood during the span asked for, the most telling first. A picture stands from when it was taken until the next of
    /// its event.
    pub keyframes: Vec<KeyframeId>,
    /// What was known during the span asked for.
    pub digest: Digest,
    /// What was said during the span asked for.
    pub said: Vec<Said>,
    /// Both in one line.
    pub caption: String,
    /// Reciprocal-rank fusion; only good for comparing hits of one recall.
    pub score: f32,
    /// How well it fits, `0.0..=1.0`: the best of its cosines and its words. Where only a span is asked for: the share of it that lies within.
    pub similarity: f32,
    /// Where it is remembered.
    pub tier: Tier,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recall {
    /// Best first; by time for [`Order::First`] and [`Order::Last`].
    pub hits: Vec<Hit>,
    /// How many remembered things overlap the span asked for: 0 when nothing is known of it at all.
    pub considered: usize,
}

/// Something that may be a hit.
#[derive(Debug, Clone)]
pub(super) struct Candidate<'m> {
    pub(super) event: Option<NodeId>,
    pub(super) tier: Tier,
    pub(super) span: Span,
    pub(super) digest: &'m Digest,
    pub(super) said: Cow<'m, [Said]>,
    pub(super) image: Option<&'m [f16]>,
    pub(super) text: Option<&'m [f16]>,
    pub(super) pictures: &'m [Keyframe],
}

/// A candidate that was found to fit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rated {
    pub(super) index: usize,
    pub(super) score: f32,
    pub(super) similarity: f32,
}

impl<'m> Candidate<'m> {
    fn of_event(e: &'m Event, tier: Tier) -> Self {
        Self {
            event: Some(e.id),
            tier,
            span: e.span,
            digest: &e.digest,
            said: Cow::Borrowed(&e.said),
            image: e.image.as_deref(),
            text: e.text.as_deref(),
            pictures: &e.keyframes,
        }
    }

    fn of_child(c: &'m Child) -> Self {
        Self {
            event: Some(c.id),
            tier: Tier::LongTerm,
            span: c.span,
            digest: &c.digest,
            said: Cow::Borrowed(&c.said),
            image: c.image.as_deref(),
            text: c.text.as_deref(),
            pictures: c.keyframe.as_slice(),
        }
    }
}

impl Memory {
    /// Finds what is remembered of what is asked. A span that begins within one of the windows is answered from it, second by second;
    /// everything else from events, where the children of a root stand for it.
    #[must_use]
    pub fn recall(&self, query: &Query<'_>) -> Recall {
        if let Some(fine) = query.span.and_then(|span| windows::candidates(self, span)) {
            let found = find(&fine, query, &self.config);
            if !found.hits.is_empty() {
                return found;
            }
        }
        find(&self.candidates(query.span), query, &self.config)
    }

    fn candidates(&self, span: Option<Span>) -> Vec<Candidate<'_>> {
        let asked = |s: Span| span.is_none_or(|span| s.overlaps(span));
        let mut out = Vec::new();
        for root in self.past.roots.iter().filter(|e| asked(e.span)) {
            if root.children.is_empty() {
                out.push(Candidate::of_event(root, Tier::LongTerm));
            } else {
                out.extend(root.children.iter().filter(|c| asked(c.span)).map(Candidate::of_child));
            }
        }
        out.extend(self.past.episodic.iter().filter(|e| asked(e.span)).map(|e| Candidate::of_event(e, Tier::Episodic)));
        let open = self.open.as_ref().map(|o| &o.event);
        out.extend(open.into_iter().filter(|e| asked(e.span)).map(|e| Candidate::of_event(e, Tier::Open)));
        out
    }
}

fn find(candidates: &[Candidate<'_>], query: &Query<'_>, config: &Config) -> Recall {
    if let Some(has) = query.has {
        let span = query.span.unwrap_or(Span::ALWAYS);
        let fit = candidates.iter().filter(|c| has.holds(c.digest, span));
        return rank(&fit.cloned().collect::<Vec<_>>(), query, config);
    }
    rank(candidates, query, config)
}

fn rank(candidates: &[Candidate<'_>], query: &Query<'_>, config: &Config) -> Recall {
    let most = query.most.min(config.most_recalled);
    let mut lexicon = Lexicon::new(query.words, query.fit, query.all);
    let text = query.text.and_then(unit);
    let image = query.image.and_then(unit);
    let rated = if lexicon.is_empty() && text.is_none() && image.is_none() {
        select::by_span(candidates, query, most)
    } else {
        let rated = by_content(candidates, &mut lexicon, text.as_deref(), image.as_deref(), config);
        in_order(rated, candidates, query.order, most)
    };
    Recall { hits: select::hits(candidates, &rated, query.span, &mut lexicon, config), considered: candidates.len() }
}

/// Every candidate above the floor with its fused rank, best first.
fn by_content<'m>(
    candidates: &'m [Candidate<'m>],
    lexicon: &mut Lexicon<'_, 'm>,
    text: Option<&[f32]>,
    image: Option<&[f32]>,
    config: &Config,
) -> Vec<Rated> {
    let mut scratch = Scratch::default();
    let mut rated: Vec<Rated> = (0..candidates.len()).map(|index| Rated { index, ..Rated::default() }).collect();
    let mut ranking: Vec<(usize, f32)> = Vec::with_capacity(candidates.len());
    if let Some(text) = text {
        ranking.extend(cosines(candidates, |c| c.text.and_then(|v| scratch.cosine(text, v))));
        fuse(&mut ranking, &mut rated, |cos| cos);
    }
    if let Some(image) = image {
        ranking.extend(cosines(candidates, |c| c.image.and_then(|v| scratch.cosine(image, v))));
        fuse(&mut ranking, &mut rated, |cos| on_text_scale(cos, config));
    }
    if !lexicon.is_empty() {
        ranking.extend(candidates.iter().enumerate().map(|(i, c)| (i, lexicon.score(c.digest, &c.said))));
        fuse(&mut ranking, &mut rated, |fit| fit);
    }
    rated.retain(|r| r.similarity > 0.0 && r.similarity >= config.similarity_floor);
    rated.sort_by(|a, b| b.score.total_cmp(&a.score).then(later(candidates, a.index, b.index)));
    rated
}

fn cosines<'m>(
    candidates: &'m [Candidate<'m>],
    mut cosine: impl FnMut(&'m Candidate<'m>) -> Option<f32>,
) -> impl Iterator<Item = (usize, f32)> {
    candidates.iter().enumerate().filter_map(move |(i, c)| cosine(c).map(|cos| (i, cos)))
}

/// Adds one ranking, and empties it. Equal values share a rank; what does not fit at all has none.
fn fuse(ranking: &mut Vec<(usize, f32)>, rated: &mut [Rated], similarity: impl Fn(f32) -> f32) {
    ranking.retain(|(_, value)| *value > 0.0);
    ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (mut rank, mut last) = (0.0_f32, f32::INFINITY);
    for (i, (index, value)) in ranking.iter().enumerate() {
        if *value < last {
            #[expect(clippy::cast_precision_loss, reason = "some thousand at most")]
            let place = (i + 1) as f32;
            (rank, last) = (place, *value);
        }
        let r = &mut rated[*index];
        r.score += 1.0 / (RRF + rank);
        r.similarity = r.similarity.max(similarity(*value));
    }
    ranking.clear();
}

/// A cosine of images where [`Config::image_floor`] is put to [`Config::similarity_floor`], so that one floor is enough.
fn on_text_scale(cos: f32, config: &Config) -> f32 {
    let (from, to) = (config.image_floor, config.similarity_floor);
    if cos >= from { to + (cos - from) / (1.0 - from) * (1.0 - to) } else { cos / from.max(1e-6) * to * 0.999 }
}

fn in_order(mut rated: Vec<Rated>, candidates: &[Candidate<'_>], order: Order, most: usize) -> Vec<Rated> {
    if order != Order::Best {
        let best = rated.iter().map(|r| r.similarity).fold(0.0, f32::max);
        rated.retain(|r| r.similarity >= best * NEAR_BEST);
        rated.sort_by(|a, b| {
            let newest = later(candidates, a.index, b.index);
            if order == Order::Last { newest } else { newest.reverse() }
        });
    }
    rated.truncate(most);
    rated
}

/// The later one first.
pub(super) fn later(candidates: &[Candidate<'_>], a: usize, b: usize) -> std::cmp::Ordering {
    candidates[b].span.start.cmp(&candidates[a].span.start).then(b.cmp(&a))
}
