//! Which temporal layers of a stream are decoded: as few as give the pictures that somebody compares.
//!
//! Pure: the time is an argument. Loses: `RateLimited`. Source: RFC 7741 §4.2 (N, TID, Y); a layer is entered where RFC 7741 allows it, one at a time.

use std::time::Duration;

use crate::base::{Layer, MediaTime};

/// Layers that a payload descriptor can tell apart.
const LAYERS: usize = 4;
/// Units of a layer after which its rate is known.
const SETTLED: u32 = 12;
/// Distances of up to so many times the wanted one are short enough: of a camera's 24, 25 or 30 pictures a second the base layer, every fourth, will do. What is seen is as much of now with 6 and
/// 7.5 pictures a second as with 10, since the gates of `watch` count time and not pictures (`make bench-gates`, `--fps`).
const ENOUGH: f64 = 1.7;
/// Weight of the newest distance in the mean.
const NEWEST: f64 = 0.125;

/// One per stream.
#[derive(Debug)]
pub(super) struct Layers {
    wanted_s: f64,
    /// Of each layer with those below it.
    rates: [Rate; LAYERS],
    /// The highest layer that the decoder has.
    level: u8,
}

/// How far its units lie apart.
#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    last: Option<MediaTime>,
    mean_s: f64,
    units: u32,
}

impl Rate {
    fn note(&mut self, at: MediaTime) {
        if let Some(last) = self.last.replace(at) {
            let apart = at.since(last).as_secs_f64();
            self.mean_s = if self.units == 0 { apart } else { self.mean_s + NEWEST * (apart - self.mean_s) };
            self.units = self.units.saturating_add(1);
        }
    }
}

impl Layers {
    /// One picture in `wanted` is enough.
    pub(super) fn new(wanted: Duration) -> Self {
        Self { wanted_s: wanted.as_secs_f64(), rates: [Rate::default(); LAYERS], level: 0 }
    }

    /// Whether a unit is decoded. It comes after all before it, and nothing is missing between them but what was refused here.
    pub(super) fn admit(&mut self, layer: Layer, keyframe: bool, at: MediaTime) -> bool {
        self.rates.iter_mut().skip(usize::from(layer.temporal)).for_each(|rate| rate.note(at));
        let top = self.top();
        if keyframe {
            self.level = top;
            return true;
        }
        self.level = self.level.min(top);
        if layer.temporal == self.level + 1 && layer.temporal <= top && layer.sync {
            self.level = layer.temporal;
        }
        layer.temporal <= self.level
    }

    /// The lowest layer that is enough, with those below it; all where none is known to be.
    fn top(&self) -> u8 {
        let wanted = self.wanted_s > 0.0;
        let enough = |rate: &Rate| wanted && rate.units >= SETTLED && rate.mean_s <= ENOUGH * self.wanted_s;
        let lowest = self.rates.iter().position(enough).unwrap_or(LAYERS - 1);
        u8::try_from(lowest).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The pattern of three layers that browsers send: temporal layer and whether it builds on the base layer only.
    const THREE: [(u8, bool); 4] = [(0, false), (2, true), (1, true), (2, false)];
    const WANTED: Duration = Duration::from_millis(100);

    fn layer((temporal, sync): (u8, bool)) -> Layer {
        Layer { temporal, sync }
    }

    /// Of `seconds` at so many pictures a second, the layers decoded in the last second.
    fn last_second(layers: &mut Layers, fps: u64, from: u64, seconds: u64) -> Vec<u8> {
        let mut out = Vec::new();
        for i in 0..fps * seconds {
            let unit = layer(THREE[i as usize % 4]);
            let taken = layers.admit(unit, from + i == 0, MediaTime::from_millis((from * fps + i) * 1000 / fps));
            if taken && i >= fps * (seconds - 1) {
                out.push(unit.temporal);
            }
        }
        out
    }

    #[test]
    fn of_a_fast_camera_the_lower_layers_are_enough_and_of_a_slow_one_all_are_decoded() {
        let of = |fps| last_second(&mut Layers::new(WANTED), fps, 0, 8);
        assert!(of(60).iter().all(|t| *t == 0) && of(60).len() == 15, "{:?}", of(60));
        assert!(of(30).iter().all(|t| *t == 0) && (7..=8).contains(&of(30).len()), "{:?}", of(30));
        assert!(of(24).iter().all(|t| *t == 0) && of(24).len() == 6, "{:?}", of(24));
        assert!(of(20).iter().all(|t| *t <= 1) && of(20).len() == 10, "{:?}", of(20));
        assert!(of(10).len() == 10 && of(6).len() == 6);
    }

    #[test]
    fn a_layer_is_entered_again_only_where_it_builds_on_the_base_layer() {
        let mut layers = Layers::new(WANTED);
        last_second(&mut layers, 60, 0, 8);
        // The camera becomes slow: higher layers are wanted, first the middle one at its synchronisation point.
        let mut taken = Vec::new();
        for i in 0..60_u64 {
            let unit = [layer((0, false)), layer((2, i > 40)), layer((1, i > 30)), layer((2, false))][i as usize % 4];
            if layers.admit(unit, false, MediaTime::from_millis(8_000 + i * 160)) {
                taken.push((i, unit.temporal));
            }
        }
        let first = |t| taken.iter().find(|(_, temporal)| *temporal == t).map(|(i, _)| *i);
        assert_eq!((first(1), first(2)), (Some(34), Some(41)), "{taken:?}");
        assert!(taken.iter().filter(|(i, _)| *i > 45).count() == 14, "then all of them");
    }

    #[test]
    fn a_stream_without_layers_is_decoded_whole_and_a_keyframe_always() {
        let mut layers = Layers::new(WANTED);
        assert!((0..100).all(|i| layers.admit(Layer::default(), i == 0, MediaTime::from_millis(i * 33))));
        let odd = Layer { temporal: 3, sync: false };
        assert!(
            !layers.admit(odd, false, MediaTime::from_millis(3_300))
                && layers.admit(odd, true, MediaTime::from_millis(3_333))
        );
    }

    proptest! {
        /// A unit is never decoded without those it may build on: since a keyframe, or since its layer was entered, all up to its layer were.
        #[test]
        fn what_is_decoded_has_what_it_builds_on(units in prop::collection::vec((0_u8..4, any::<bool>(), 0_u64..400, 0_u8..40), 1..400)) {
            let mut layers = Layers::new(WANTED);
            let (mut now, mut whole) = (0, [true; LAYERS]);
            for (i, (temporal, sync, after, key)) in units.into_iter().enumerate() {
                now += after;
                let key = i == 0 || key == 0;
                let unit = if key { Layer::default() } else { Layer { temporal, sync } };
                let at = usize::from(unit.temporal);
                let taken = layers.admit(unit, key, MediaTime::from_millis(now));
                if key {
                    whole = [true; LAYERS];
                } else if taken {
                    prop_assert!(at == 0 || whole[at] || unit.sync);
                    whole[at] = true;
                }
                if !taken {
                    prop_assert!(at > 0);
                    whole[at..].fill(false);
                }
            }
        }
    }
}
