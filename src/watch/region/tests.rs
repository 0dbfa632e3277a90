use std::time::Duration;

use proptest::prelude::*;

use super::{EDGE, LEAST_PIXELS, MOST, Region, Regions, Sight, common, fitted, with_known};
use crate::base::{BBox, MediaTime, RgbFrame};
use crate::watch::testing::{at, frame};
use crate::watch::{ObjectFact, Picture, SceneFacts, Sighting, TextFact};

const CHANGE: f32 = 0.03;
const AFTER: Duration = Duration::from_secs(5);

/// A room, brighter by `light` in some boxes.
fn room(light: u8, boxes: &[[u32; 4]]) -> RgbFrame {
    let wave = |x: u32, y: u32| 90.0 + 30.0 * ((x as f32 * 0.02).sin() + (y as f32 * 0.017).cos());
    frame(640, 480, |x, y| {
        let lit = boxes.iter().any(|[x0, y0, x1, y1]| (*x0..*x1).contains(&x) && (*y0..*y1).contains(&y));
        [wave(x, y) as u8 + if lit { light } else { 0 }; 3]
    })
}

fn seen_by(frame: &RgbFrame, ms: u64, experts: &[&'static str]) -> Sight {
    Sight::of(&Picture::of(at(frame.clone(), ms)), experts).unwrap()
}

fn sight(frame: &RgbFrame, ms: u64) -> Sight {
    seen_by(frame, ms, &[])
}

/// A gate that saw an empty room, all of it, at 1 s.
fn seen() -> Regions {
    let mut gate = Regions::new(CHANGE, AFTER);
    gate.looked(sight(&room(0, &[]), 1_000), None);
    gate
}

/// A part all of which changed.
fn whole_of(bbox: BBox) -> Option<Region> {
    Region::of(bbox, bbox)
}

const CUP: [u32; 4] = [300, 200, 360, 280];

#[test]
fn what_changed_in_a_part_of_the_picture_is_looked_at_alone() {
    let region = seen().choose(&sight(&room(80, &[CUP]), 2_000), &[]).unwrap();
    let cup = BBox::new(300.0 / 640.0, 200.0 / 480.0, 360.0 / 640.0, 280.0 / 480.0);
    assert!(region.holds(&cup) && !region.cuts(&cup), "{region:?}");
    assert!(region.bbox().area() < 0.2, "{region:?}");
    assert!(region.bbox().width() >= 0.33 && region.bbox().height() >= 0.33);
}

#[test]
fn the_whole_is_looked_at_first_and_now_and_then_and_when_much_or_nothing_changed_or_the_camera_turned() {
    let with_cup = room(80, &[CUP]);
    assert_eq!(Regions::new(CHANGE, AFTER).choose(&sight(&with_cup, 2_000), &[]), None, "the first");
    let gate = seen();
    assert!(gate.choose(&sight(&with_cup, 5_999), &[]).is_some());
    assert_eq!(gate.choose(&sight(&with_cup, 6_000), &[]), None, "long ago");
    assert_eq!(gate.choose(&sight(&with_cup, 500), &[]), None, "from before");
    assert_eq!(gate.choose(&sight(&room(0, &[]), 2_000), &[]), None, "nothing changed");
    assert_eq!(gate.choose(&sight(&room(80, &[[0, 0, 400, 400]]), 2_000), &[]), None, "much");
    assert_eq!(gate.choose(&sight(&room(80, &[[0, 0, 40, 40], [600, 440, 640, 480]]), 2_000), &[]), None, "everywhere");
    let mut turned = room(0, &[]);
    turned.data = turned.data.iter().copied().cycle().skip(30 * 3).take(640 * 480 * 3).collect::<Vec<u8>>().into();
    assert_eq!(gate.choose(&sight(&turned, 2_000), &[]), None, "turned");
    let mut smaller = room(80, &[CUP]);
    (smaller.width, smaller.height) = (480, 640);
    assert_eq!(gate.choose(&sight(&smaller, 2_000), &[]), None, "another size");
    let mut gate = gate;
    gate.forget();
    assert_eq!(gate.choose(&sight(&with_cup, 2_000), &[]), None, "a look that failed");
}

#[test]
fn everything_is_compared_with_what_was_looked_at_of_it() {
    // The wall grows brighter bit by bit while a cup comes, goes and comes: each step is too small, together they are not.
    let mut gate = seen();
    let wall = [500, 0, 640, 120];
    for step in 0..4_u8 {
        let mut now = room(80, if step % 2 == 0 { &[CUP] } else { &[] });
        let lit = room(6 * step, &[wall]);
        let mut data = now.data.to_vec();
        for y in 0..120 {
            let row = (y * 640 + 500) * 3..(y * 640 + 640) * 3;
            data[row.clone()].copy_from_slice(&lit.data[row]);
        }
        now.data = data.into();
        let sight = sight(&now, 2_000 + u64::from(step) * 500);
        let region = gate.choose(&sight, &[]);
        let wide = region.is_none_or(|r| r.holds(&BBox::new(0.8, 0.02, 0.98, 0.2)));
        assert_eq!(wide, step == 3, "step {step}: {region:?}");
        gate.looked(sight, region);
    }
}

#[test]
fn who_has_not_seen_the_picture_looks_at_all_of_it() {
    let with_cup = room(80, &[CUP]);
    let by = |experts: &[&'static str]| seen_by(&with_cup, 2_000, experts);
    let mut gate = seen();
    assert!(gate.choose(&by(&["detector"]), &[]).is_some());
    gate.looked(by(&["detector", "classifier"]), None);
    let bare = |experts| {
        let pixels = room(0, &[]);
        seen_by(&pixels, 3_000, experts)
    };
    assert!(
        gate.choose(&bare(&["detector"]), &[]).is_some()
            && gate.choose(&bare(&["detector", "classifier"]), &[]).is_some()
    );
    assert!(gate.choose(&bare(&["ocr"]), &[]).is_none() && gate.choose(&bare(&[]), &[]).is_none());
}

#[test]
fn what_is_known_and_cut_is_taken_in_whole_unless_it_is_too_much() {
    let now = sight(&room(80, &[CUP]), 2_000);
    let gate = seen();
    let bare = gate.choose(&now, &[]).unwrap();
    let line = BBox::new(0.1, 0.5, 0.5, 0.55);
    let wider = gate.choose(&now, &[line]).unwrap();
    assert!(bare.cuts(&line) && wider.holds(&line) && !wider.cuts(&line), "{wider:?}");
    let person = BBox::new(0.05, 0.05, 0.95, 1.0);
    assert_eq!(gate.choose(&now, &[person]).unwrap(), bare, "somebody large stays outside");
    assert_eq!(gate.choose(&now, &[person, line]).unwrap(), wider);
}

#[test]
fn what_a_border_cuts_belongs_to_what_is_known_around_it_or_to_nothing() {
    let region = whole_of(BBox::new(0.3, 0.3, 0.7, 0.7)).unwrap();
    let object = |label: &str, bbox| ObjectFact {
        track: 1,
        label: label.into(),
        confidence: 0.8,
        bbox,
        colour: None,
        motion: crate::watch::Motion::Still,
        first_seen: MediaTime::ZERO,
        last_seen: MediaTime::ZERO,
    };
    let text = |bbox| TextFact { text: "EXIT".into(), confidence: 0.9, bbox, at: MediaTime::ZERO };
    let facts = SceneFacts {
        objects: vec![object("person", BBox::new(0.1, 0.1, 0.6, 1.0)), object("cup", BBox::new(0.5, 0.5, 0.6, 0.6))],
        texts: vec![text(BBox::new(0.6, 0.4, 0.9, 0.45)), text(BBox::new(0.4, 0.4, 0.5, 0.45))],
        ..SceneFacts::default()
    };
    let outside = region.outside(&facts);
    assert_eq!(outside.len(), 2, "{outside:?}");
    let arm = BBox::new(0.3, 0.4, 0.55, 0.6);
    assert!(region.cuts(&arm) && region.belongs(Some("person"), &arm, &outside));
    assert!(!region.belongs(Some("dog"), &arm, &outside) && !region.belongs(None, &arm, &outside));
    assert!(region.belongs(None, &BBox::new(0.61, 0.4, 0.7, 0.45), &outside));
    assert!(!region.belongs(Some("person"), &BBox::new(0.62, 0.35, 0.68, 0.69), &outside), "somebody else");
    // What is cut makes the whole be looked at only where it is what changed.
    let small = Region::of(BBox::new(0.3, 0.3, 0.7, 0.7), BBox::new(0.45, 0.45, 0.55, 0.55)).unwrap();
    assert!(small.asks(&BBox::new(0.4, 0.4, 0.7, 0.7)) && !small.asks(&BBox::new(0.41, 0.41, 0.6, 0.6)));
    assert!(!small.asks(&BBox::new(0.3, 0.3, 0.45, 0.6)) && small.cuts(&BBox::new(0.3, 0.3, 0.45, 0.6)));
    let corner = whole_of(BBox::new(0.0, 0.5, 0.5, 1.0)).unwrap();
    assert!(!corner.cuts(&BBox::new(0.0, 0.7, 0.2, 1.0)), "the picture's own border cuts nothing off");
    assert!(matches!(outside[0], Sighting::Object { .. }) && whole_of(BBox::new(0.5, 0.5, 0.5, 0.9)).is_none());
}

fn any_box() -> impl Strategy<Value = BBox> {
    (0.0..1.0_f32, 0.0..1.0_f32, 0.0..1.0_f32, 0.0..1.0_f32).prop_map(|(a, b, c, d)| BBox::new(a, b, c, d))
}

#[test]
fn what_changed_and_is_not_found_is_missed_twice_and_what_is_not_held_not_at_all() {
    let region = Region::of(BBox::new(0.2, 0.2, 0.8, 0.8), BBox::new(0.3, 0.3, 0.5, 0.5)).unwrap();
    let misses = |x0, y0, x1, y1| region.misses(&BBox::new(x0, y0, x1, y1));
    assert_eq!(misses(0.3, 0.3, 0.5, 0.5), 2);
    assert_eq!(misses(0.3, 0.3, 0.68, 0.4), 2, "half of it changed");
    assert_eq!(misses(0.4, 0.4, 0.7, 0.7), 1);
    assert_eq!(misses(0.0, 0.0, 0.5, 0.5), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(256)))]

    /// Whatever changed, and whatever is known: the part lies in the picture, holds what changed, is sizeable and not too large, and ends between pixels.
    #[test]
    fn a_part_is_within_the_picture_around_what_changed_and_of_sensible_size(
        x in 0..600_u32, y in 0..440_u32, w in 20..200_u32, h in 20..200_u32, known in prop::collection::vec(any_box(), 0..6),
    ) {
        let changed = [x, y, (x + w).min(640), (y + h).min(480)];
        let region = seen().choose(&sight(&room(100, &[changed]), 2_000), &known);
        if let Some(region) = region {
            let b = region.bbox();
            prop_assert!(b.x0 >= 0.0 && b.y0 >= 0.0 && b.x1 <= 1.0 && b.y1 <= 1.0 && b.area() <= MOST);
            prop_assert!(b.width() * 640.0 > LEAST_PIXELS - 0.01 && b.height() * 480.0 > LEAST_PIXELS - 0.01);
            let [x0, y0, x1, y1] = changed.map(|v| v as f32);
            prop_assert!(region.holds(&BBox::new(x0 / 640.0, y0 / 480.0, x1 / 640.0, y1 / 480.0)));
            for (edge, side) in [(b.x0, 640.0), (b.x1, 640.0), (b.y0, 480.0), (b.y1, 480.0)] {
                prop_assert!((edge * side - (edge * side).round()).abs() < 1e-3, "{edge}");
            }
        }
    }

    #[test]
    fn boxes_go_out_of_a_part_and_back(
        x in 0.0..0.9_f32, y in 0.0..0.9_f32, w in 0.06..1.0_f32, h in 0.06..1.0_f32, inner in any_box(),
    ) {
        let part = BBox::new(x, y, x + w, y + h);
        let region = whole_of(part).unwrap();
        let outer = region.outward(&inner);
        prop_assert!(region.holds(&outer) && common(&outer, &part) >= outer.area() - 1e-5);
        let back = |v: f32, from: f32, len: f32| (v - from) / len;
        for (got, was) in [
            (back(outer.x0, part.x0, part.width()), inner.x0), (back(outer.x1, part.x0, part.width()), inner.x1),
            (back(outer.y0, part.y0, part.height()), inner.y0), (back(outer.y1, part.y0, part.height()), inner.y1),
        ] {
            prop_assert!((got - was).abs() < 1e-3, "{got} {was}");
        }
        // What is found well within a part is cut by nothing.
        let within = |v: f32| v > 2.0 * EDGE && v < 1.0 - 2.0 * EDGE;
        if [inner.x0, inner.y0, inner.x1, inner.y1].into_iter().all(within) {
            prop_assert!(!region.cuts(&outer));
        }
    }

    #[test]
    fn growing_ends_and_stays_in_the_picture(part in any_box(), known in prop::collection::vec(any_box(), 0..40), w in 1..4_000_u32, h in 1..4_000_u32) {
        let grown = with_known(part, &known);
        prop_assert!(common(&grown, &part) >= part.area() - 1e-5);
        let b = fitted(&grown, (w, h));
        prop_assert!(b.x0 >= 0.0 && b.y0 >= 0.0 && b.x1 <= 1.0 && b.y1 <= 1.0 && b.area() > 0.0);
    }
}
