//! Follows detected objects over frames: steady numbers, first and last seen, direction; one missed detection loses nothing.
//!
//! Floor 1. In: detections of one look. Out: [`Track`]s and what came and went. Bounded by [`TrackerConfig::max_tracks`].
//! Source: the idea of SORT (Bewley et al. 2016, arXiv:1602.00763). Differs from it in: no Kalman filter and greedy assignment
//! (two looks a second are too few for a motion model), matches by class and nearness too, labels by vote.

use std::time::Duration;

use super::{Motion, Region};
use crate::base::{BBox, MediaTime};

/// One thing the detector saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// Class name.
    pub label: String,
    /// `0.0..=1.0`.
    pub confidence: f32,
    /// Where.
    pub bbox: BBox,
}

/// How objects are followed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackerConfig {
    /// Most things followed at once. Default 32. When full, the one least sure goes.
    pub max_tracks: usize,
    /// A thing vanishes after this many looks in a row without it. Default 3.
    pub misses: u32,
    /// A thing counts from its first look when the detector is this sure, else from its second. Default 0.5.
    pub sure: f32,
    /// Least overlap of the same thing in two looks. Default 0.2.
    pub overlap: f32,
    /// Motion is read over this much time. Default 2 s.
    pub window: Duration,
}

impl Default for TrackerConfig {
    fn default() -> Self {
        Self { max_tracks: 32, misses: 3, sure: 0.5, overlap: 0.2, window: Duration::from_secs(2) }
    }
}

/// A thing that is followed.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// Its number, never used twice by one tracker.
    pub id: u32,
    /// Class name by vote over its looks.
    pub label: String,
    /// Smoothed over looks, `0.0..=1.0`.
    pub confidence: f32,
    /// Where it was last seen.
    pub bbox: BBox,
    /// How it moves.
    pub motion: Motion,
    /// When it was first seen.
    pub first_seen: MediaTime,
    /// When it was last seen.
    pub last_seen: MediaTime,
    /// Seen often or surely enough to be told.
    pub confirmed: bool,
    votes: Vec<(String, f32)>,
    path: Vec<(MediaTime, BBox)>,
    missed: u32,
}

/// What a look changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Passage {
    /// Labels of things that came into view.
    pub appeared: Vec<String>,
    /// Labels of things that went out of view.
    pub disappeared: Vec<String>,
}

/// Classes that one track may be taken for over time, at most.
const MAX_VOTES: usize = 4;
/// Places remembered per track, at most.
const MAX_PATH: usize = 8;

/// The followed things of one session.
#[derive(Debug)]
pub struct Tracker {
    config: TrackerConfig,
    tracks: Vec<Track>,
    next: u32,
}

impl Tracker {
    /// A tracker that follows nothing yet.
    #[must_use]
    pub const fn new(config: TrackerConfig) -> Self {
        Self { config, tracks: Vec::new(), next: 1 }
    }

    /// What is followed, in no particular order; unconfirmed things included.
    #[must_use]
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// Forgets everything (a scene cut); numbers go on.
    pub fn clear(&mut self) {
        self.tracks.clear();
    }

    /// Forgets things not seen since `before`, and returns their labels.
    pub fn forget(&mut self, before: MediaTime) -> Vec<String> {
        let gone = |t: &Track| t.last_seen < before;
        let labels = self.tracks.iter().filter(|t| gone(t) && t.confirmed).map(|t| t.label.clone()).collect();
        self.tracks.retain(|t| !gone(t));
        labels
    }

    /// Takes the detections of one look. Looks come in order of time; an older one than the last is taken as of now.
    pub fn update(&mut self, at: MediaTime, detections: &[Detection]) -> Passage {
        self.update_part(at, detections, None)
    }

    /// The same of a look at a part of the picture, or at all of it: a thing that a `region` does not hold was not missed.
    pub fn update_part(&mut self, at: MediaTime, detections: &[Detection], region: Option<&Region>) -> Passage {
        let mut order: Vec<&Detection> = detections.iter().collect();
        order.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        order.truncate(self.config.max_tracks);
        let matches = self.assign(&order);
        let mut passage = Passage::default();
        let mut hit = vec![false; self.tracks.len()];
        for (detection, found) in order.iter().zip(&matches) {
            if let Some(i) = *found {
                hit[i] = true;
                let before = self.tracks[i].confirmed;
                self.tracks[i].see(detection, at, &self.config);
                if !before && self.tracks[i].confirmed {
                    passage.appeared.push(self.tracks[i].label.clone());
                }
            }
        }
        self.miss(&hit, region, &mut passage);
        for (detection, _) in order.iter().zip(&matches).filter(|(_, found)| found.is_none()) {
            self.begin(detection, at, &mut passage);
        }
        passage
    }

    /// For each detection the track it belongs to. Best pairs first; each track and each detection at most once.
    fn assign(&self, detections: &[&Detection]) -> Vec<Option<usize>> {
        let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
        for (d, detection) in detections.iter().enumerate() {
            for (t, track) in self.tracks.iter().enumerate() {
                if let Some(score) = affinity(track, detection, self.config.overlap) {
                    pairs.push((score, d, t));
                }
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut found = vec![None; detections.len()];
        let mut taken = vec![false; self.tracks.len()];
        for (_, d, t) in pairs {
            if found[d].is_none() && !taken[t] {
                found[d] = Some(t);
                taken[t] = true;
            }
        }
        found
    }

    /// Counts a miss for every track that was not hit though it was looked at, and drops those that were missed too often.
    fn miss(&mut self, hit: &[bool], region: Option<&Region>, passage: &mut Passage) {
        for (track, hit) in self.tracks.iter_mut().zip(hit) {
            let misses = region.map_or(1, |r| r.misses(&track.bbox));
            track.missed = if *hit { 0 } else { track.missed + misses };
        }
        let most = self.config.misses.max(1);
        // Something seen once and unsurely is not worth waiting for.
        let gone = |t: &Track| t.missed >= if t.confirmed { most } else { 1 };
        passage.disappeared.extend(self.tracks.iter().filter(|t| gone(t) && t.confirmed).map(|t| t.label.clone()));
        self.tracks.retain(|t| !gone(t));
    }

    fn begin(&mut self, detection: &Detection, at: MediaTime, passage: &mut Passage) {
        if self.tracks.len() >= self.config.max_tracks.max(1) {
            let weakest = (0..self.tracks.len()).min_by(|a, b| {
                let (a, b) = (&self.tracks[*a], &self.tracks[*b]);
                b.missed.cmp(&a.missed).then(a.confidence.total_cmp(&b.confidence))
            });
            match weakest {
                Some(i) if self.tracks[i].missed > 0 || self.tracks[i].confidence < detection.confidence => {
                    let gone = self.tracks.swap_remove(i);
                    if gone.confirmed {
                        passage.disappeared.push(gone.label);
                    }
                }
                _ => return,
            }
        }
        let track = Track::new(self.next, detection, at, self.config.sure);
        self.next = self.next.wrapping_add(1);
        if track.confirmed {
            passage.appeared.push(track.label.clone());
        }
        self.tracks.push(track);
    }
}

impl Track {
    fn new(id: u32, seen: &Detection, at: MediaTime, sure: f32) -> Self {
        Self {
            id,
            label: seen.label.clone(),
            confidence: seen.confidence,
            bbox: seen.bbox,
            motion: Motion::Still,
            first_seen: at,
            last_seen: at,
            confirmed: seen.confidence >= sure,
            votes: vec![(seen.label.clone(), seen.confidence)],
            path: vec![(at, seen.bbox)],
            missed: 0,
        }
    }

    fn see(&mut self, seen: &Detection, at: MediaTime, config: &TrackerConfig) {
        self.confidence = (0.4 * self.confidence + 0.6 * seen.confidence).clamp(0.0, 1.0);
        self.bbox = seen.bbox;
        self.last_seen = self.last_seen.max(at);
        self.confirmed = true;
        self.vote(seen);
        self.path.push((at, seen.bbox));
        let from = at.saturating_sub(config.window);
        self.path.retain(|(t, _)| *t >= from);
        let surplus = self.path.len().saturating_sub(MAX_PATH);
        self.path.drain(..surplus);
        self.motion = direction(&self.path);
    }

    fn vote(&mut self, seen: &Detection) {
        for v in &mut self.votes {
            v.1 *= 0.7;
        }
        match self.votes.iter_mut().find(|v| v.0 == seen.label) {
            Some(v) => v.1 += seen.confidence,
            None => self.votes.push((seen.label.clone(), seen.confidence)),
        }
        self.votes.sort_by(|a, b| b.1.total_cmp(&a.1));
        self.votes.truncate(MAX_VOTES);
        if let Some((label, _)) = self.votes.first() {
            self.label.clone_from(label);
        }
    }
}

/// How likely `seen` is the thing of `track`; `None` when it cannot be.
fn affinity(track: &Track, seen: &Detection, least: f32) -> Option<f32> {
    let iou = track.bbox.iou(&seen.bbox);
    let same = track.votes.iter().any(|v| v.0 == seen.label);
    if iou >= least && (same || iou >= 0.6) {
        return Some(iou + if same { 1.0 } else { 0.0 });
    }
    if !same {
        return None;
    }
    // Two looks a second: a thing can leave its old box altogether. Take it for the same when it is near and of like size.
    let ((ax, ay), (bx, by)) = (track.bbox.centre(), seen.bbox.centre());
    let apart = (ax - bx).hypot(ay - by);
    let reach = 0.75 * track.bbox.width().max(track.bbox.height()).max(0.08);
    let ratio = (seen.bbox.area() + 1e-6) / (track.bbox.area() + 1e-6);
    (apart <= reach && (0.4..=2.5).contains(&ratio)).then(|| 0.5 * (1.0 - apart / reach))
}

/// Where a thing goes, read from where it has been.
fn direction(path: &[(MediaTime, BBox)]) -> Motion {
    let (Some((_, first)), Some((_, last))) = (path.first(), path.last()) else {
        return Motion::Still;
    };
    if path.len() < 2 {
        return Motion::Still;
    }
    let ((ax, ay), (bx, by)) = (first.centre(), last.centre());
    let (dx, dy) = (bx - ax, by - ay);
    let grown = (last.area() + 1e-6) / (first.area() + 1e-6);
    // The jitter of a detector is a few hundredths of the box; a tenth of the picture, or a third of the box, is motion.
    let far = |d: f32, side: f32| d.abs() > (side / 3.0).clamp(0.04, 0.1);
    match (far(dx, last.width()), far(dy, last.height())) {
        (true, across) if !across || dx.abs() >= dy.abs() => {
            if dx < 0.0 {
                Motion::Left
            } else {
                Motion::Right
            }
        }
        (_, true) => {
            if dy < 0.0 {
                Motion::Up
            } else {
                Motion::Down
            }
        }
        _ if grown > 1.4 => Motion::Nearer,
        _ if grown < 0.7 => Motion::Away,
        _ => Motion::Still,
    }
}

#[cfg(test)]
mod tests;
