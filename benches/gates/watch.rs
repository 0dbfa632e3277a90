//! One watcher of a clip: its gates, its scene, what it knows at each moment, and how right that is.

use std::collections::BTreeSet;
use std::time::Duration;

use sightline::base::{BBox, RgbFrame};
use sightline::engine::Glimpse;
use sightline::watch::region::{Regions, Sight};
use sightline::watch::{Look, Picture, Sampler, SamplerConfig, Scene, SceneConfig, SceneFacts, Verdict};

use crate::clips::Truth;
use crate::experts::{Experts, firsts};

/// What is known at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    pub objects: BTreeSet<String>,
    /// The first label of each part; the first of all is that of the whole picture.
    pub labels: Vec<String>,
    whole: Option<String>,
}

impl Known {
    fn of(facts: &SceneFacts) -> Self {
        let whole = facts.labels.first().filter(|l| l.bbox == BBox::FULL).map(|l| l.label.clone());
        let labels = firsts(facts.labels.iter().map(|l| (l.label.clone(), l.bbox)));
        Self { objects: facts.objects.iter().map(|o| o.label.clone()).collect(), labels, whole }
    }

    /// How much of the truth is known, 0 to 1.
    pub fn right(&self, truth: &Truth) -> f64 {
        if let Some(label) = &truth.label {
            return f64::from(u8::from(self.labels.contains(label)));
        }
        if self.whole.as_ref().is_some_and(|label| truth.gone.contains(label)) {
            return 0.0;
        }
        let known = self.objects.iter().filter(|o| !truth.neutral.contains(o)).count();
        let both = truth.objects.iter().filter(|o| self.objects.contains(*o)).count();
        let all = known + truth.objects.len();
        if all == 0 { 1.0 } else { 2.0 * both as f64 / all as f64 }
    }

    /// Likeness of what two watchers know: F1 of the objects, and whether the first label is the same.
    pub fn like(&self, other: &Self) -> (f64, bool) {
        let both = self.objects.intersection(&other.objects).count();
        let all = self.objects.len() + other.objects.len();
        (if all == 0 { 1.0 } else { 2.0 * both as f64 / all as f64 }, self.labels.first() == other.labels.first())
    }
}

pub struct Watcher {
    sampler: Sampler,
    /// The gate `region`, where it is on.
    regions: Option<Regions>,
    scene: Scene,
    now: Known,
    /// Which pictures were looked at.
    pub looks: Vec<usize>,
    /// What was known at each picture.
    pub known: Vec<Known>,
    /// The newest.
    pub verdict: Option<Verdict>,
    /// Time that its gates took.
    pub gates: Duration,
    /// Time that the experts took, and over how many looks.
    pub experts: (Duration, u32),
    /// Looks of the detector at a part of the picture.
    pub parts: u32,
}

impl Watcher {
    pub fn new(config: SamplerConfig, by_region: bool) -> Self {
        let stale = SceneConfig { stale: config.max_interval * 4, ..SceneConfig::default() };
        Self {
            sampler: Sampler::new(config),
            regions: by_region.then(|| Regions::new(config.patch_change, config.max_interval)),
            scene: Scene::new(stale),
            now: Known::default(),
            looks: Vec::new(),
            known: Vec::new(),
            verdict: None,
            gates: Duration::ZERO,
            experts: (Duration::ZERO, 0),
            parts: 0,
        }
    }

    /// Takes a picture; gives it and what the experts said of it, if it was looked at. Without experts a look says nothing.
    pub fn see(&mut self, picture: &Picture, experts: Option<&mut Experts>) -> Option<(RgbFrame, Vec<Look>)> {
        let begun = std::time::Instant::now();
        let verdict = self.sampler.offer(picture, picture.capture);
        self.gates += begun.elapsed();
        self.verdict = Some(verdict);
        if verdict != Verdict::Keep {
            return None;
        }
        self.looks.push(self.known.len());
        let begun = std::time::Instant::now();
        let (sight, part) = self.part_of(picture);
        let frame = picture.frame().expect("a picture that can be converted");
        self.gates += begun.elapsed();
        let (looks, took) = experts.map(|experts| experts.look(&frame, part.as_ref())).unwrap_or_default();
        if let Some(took) = took {
            self.experts = (self.experts.0 + took, self.experts.1 + 1);
        }
        self.parts += u32::from(looks.iter().any(|look| look.region.is_some()));
        if let (Some(regions), Some(sight)) = (&mut self.regions, sight) {
            regions.looked(sight, part.map(|part| part.region));
        }
        self.now = Known::of(self.scene.observe(&frame, &looks));
        Some((frame, looks))
    }

    fn part_of(&self, picture: &Picture) -> (Option<Sight>, Option<Glimpse>) {
        let (Some(regions), Some(sight)) = (&self.regions, Sight::of(picture, &[])) else { return (None, None) };
        let facts = self.scene.facts();
        let places: Vec<BBox> = facts.objects.iter().map(|o| o.bbox).collect();
        let region = regions.choose(&sight, &places);
        (Some(sight), region.map(|region| Glimpse { region, outside: region.outside(facts) }))
    }

    /// What is known goes down as it is now.
    pub fn note(&mut self) {
        self.known.push(self.now.clone());
    }
}

/// A picture that was looked at, with its place among all of them.
pub type Looked = (usize, RgbFrame, Vec<Look>);

/// Watches at given moments and at no others: `chosen` are those of `looks`.
pub fn replay(looks: &[Looked], chosen: &[usize], pictures: usize) -> Vec<Known> {
    let (mut scene, mut now, mut known) = (Scene::new(SceneConfig::default()), Known::default(), Vec::new());
    let mut next = chosen.iter().map(|i| &looks[*i]).peekable();
    for at in 0..pictures {
        while let Some((_, frame, said)) = next.next_if(|(when, ..)| *when <= at) {
            now = Known::of(scene.observe(frame, said));
        }
        known.push(now.clone());
    }
    known
}
