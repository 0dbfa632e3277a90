use proptest::prelude::*;

use super::{Detection, Tracker, TrackerConfig};
use crate::base::{BBox, MediaTime};
use crate::watch::{Motion, Region};

fn seen(label: &str, confidence: f32, x: f32, y: f32, side: f32) -> Detection {
    Detection { label: label.into(), confidence, bbox: BBox::new(x, y, x + side, y + side) }
}

fn ms(t: u64) -> MediaTime {
    MediaTime::from_millis(t)
}

#[test]
fn a_moving_thing_keeps_its_number_and_shows_its_direction() {
    let mut t = Tracker::new(TrackerConfig::default());
    for i in 0..6_u8 {
        t.update(ms(u64::from(i) * 500), &[seen("cup", 0.8, 0.1 + f32::from(i) * 0.1, 0.4, 0.15)]);
    }
    assert_eq!(t.tracks().len(), 1);
    let track = &t.tracks()[0];
    assert_eq!((track.id, track.motion, track.first_seen, track.last_seen), (1, Motion::Right, ms(0), ms(2500)));
}

#[test]
fn growing_is_nearer_and_jitter_is_still() {
    let mut t = Tracker::new(TrackerConfig::default());
    for i in 0..4_u8 {
        let grow = 0.05 * f32::from(i);
        let jitter = if i % 2 == 0 { 0.01 } else { 0.0 };
        let detections = [
            seen("dog", 0.8, 0.1 - grow / 2.0, 0.1 - grow / 2.0, 0.2 + grow),
            seen("cup", 0.8, 0.6 + jitter, 0.6, 0.2),
        ];
        t.update(ms(u64::from(i) * 500), &detections);
    }
    let motion = |label: &str| t.tracks().iter().find(|t| t.label == label).unwrap().motion;
    assert_eq!((motion("dog"), motion("cup")), (Motion::Nearer, Motion::Still));
}

#[test]
fn one_missed_detection_is_not_a_departure_but_three_are_and_it_is_told_once() {
    let mut t = Tracker::new(TrackerConfig::default());
    assert_eq!(t.update(ms(0), &[seen("cat", 0.9, 0.3, 0.3, 0.2)]).appeared, ["cat"]);
    assert!(t.update(ms(500), &[]).disappeared.is_empty());
    let back = t.update(ms(1000), &[seen("cat", 0.9, 0.3, 0.3, 0.2)]);
    assert!(back.appeared.is_empty() && t.tracks()[0].id == 1);
    let gone: Vec<String> = (0..5).flat_map(|i| t.update(ms(1500 + i * 500), &[]).disappeared).collect();
    assert_eq!(gone, ["cat"]);
    assert!(t.tracks().is_empty());
}

#[test]
fn an_unsure_thing_counts_from_its_second_look_and_a_flash_never_does() {
    let mut t = Tracker::new(TrackerConfig::default());
    assert!(t.update(ms(0), &[seen("bird", 0.35, 0.1, 0.1, 0.2)]).appeared.is_empty());
    assert_eq!(t.update(ms(500), &[seen("bird", 0.35, 0.1, 0.1, 0.2)]).appeared, ["bird"]);
    t.clear();
    t.update(ms(1000), &[seen("kite", 0.3, 0.7, 0.7, 0.1)]);
    assert!(t.update(ms(1500), &[]).disappeared.is_empty());
    assert!(t.tracks().is_empty());
}

#[test]
fn a_wavering_class_is_settled_by_vote() {
    let mut t = Tracker::new(TrackerConfig::default());
    for (i, label) in ["cup", "cup", "bowl", "cup"].into_iter().enumerate() {
        t.update(ms(i as u64 * 500), &[seen(label, 0.7, 0.3, 0.3, 0.3)]);
    }
    assert_eq!(t.tracks().len(), 1);
    assert_eq!((t.tracks()[0].id, t.tracks()[0].label.as_str()), (1, "cup"));
}

#[test]
fn two_of_a_kind_side_by_side_stay_two() {
    let mut t = Tracker::new(TrackerConfig::default());
    for i in 0..5_u8 {
        let step = 0.02 * f32::from(i);
        t.update(
            ms(u64::from(i) * 500),
            &[seen("person", 0.9, 0.1 + step, 0.2, 0.3), seen("person", 0.8, 0.45 + step, 0.2, 0.3)],
        );
    }
    let mut ids: Vec<u32> = t.tracks().iter().map(|t| t.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2]);
}

proptest! {
    #[test]
    fn tracks_stay_bounded_and_valid_whatever_is_seen(
        looks in prop::collection::vec(prop::collection::vec((0..5_u8, -1.0..2.0_f32, -1.0..2.0_f32, 0.0..1.5_f32, 0.0..1.0_f32), 0..60), 1..12)
    ) {
        let config = TrackerConfig { max_tracks: 10, ..TrackerConfig::default() };
        let mut t = Tracker::new(config);
        let mut balance: i64 = 0;
        for (i, look) in looks.iter().enumerate() {
            let detections: Vec<Detection> =
                look.iter().map(|(c, x, y, side, p)| seen(&format!("c{c}"), *p, *x, *y, *side)).collect();
            let passage = t.update(ms(i as u64 * 500), &detections);
            balance += passage.appeared.len() as i64 - passage.disappeared.len() as i64;
            prop_assert!(t.tracks().len() <= 10);
            // Everything that came and did not go is there: no arrival or departure is told twice or forgotten.
            prop_assert_eq!(balance, t.tracks().iter().filter(|t| t.confirmed).count() as i64);
            for track in t.tracks() {
                prop_assert!((0.0..=1.0).contains(&track.confidence) && track.votes.len() <= 4 && track.path.len() <= 8);
            }
        }
    }
}

#[test]
fn what_a_look_at_a_part_does_not_hold_is_neither_missed_nor_confirmed() {
    let mut t = Tracker::new(TrackerConfig::default());
    let all = [seen("cat", 0.9, 0.05, 0.05, 0.2), seen("cup", 0.9, 0.6, 0.6, 0.1), seen("person", 0.9, 0.3, 0.2, 0.5)];
    t.update(ms(0), &all);
    let before = t.tracks().to_vec();
    let region = Region::of(BBox::new(0.5, 0.5, 0.9, 0.9), BBox::FULL).unwrap();
    let mut gone = Vec::new();
    for i in 1..=5 {
        gone.extend(t.update_part(ms(i * 500), &[seen("bottle", 0.9, 0.75, 0.6, 0.1)], Some(&region)).disappeared);
    }
    assert_eq!(gone, ["cup"], "it stood in the part and was not seen there");
    for label in ["cat", "person"] {
        let find = |tracks: &[super::Track]| tracks.iter().find(|t| t.label == label).cloned();
        assert_eq!(find(t.tracks()), find(&before), "untouched");
    }
    assert!(t.tracks().iter().any(|t| t.label == "bottle" && t.confirmed));
}

proptest! {
    /// Whatever is found in a part: what stands wholly outside stays as it was.
    #[test]
    fn tracks_outside_a_part_stay_as_they_are(
        things in prop::collection::vec((0..3_usize, 0.3..1.0_f32, 0.0..0.3_f32, 0.0..0.9_f32), 1..6),
        found in prop::collection::vec((0..3_usize, 0.3..1.0_f32, 0.55..0.8_f32, 0.0..0.8_f32), 0..6),
    ) {
        let make = |(label, confidence, x, y): &(usize, f32, f32, f32)| seen(["a", "b", "c"][*label], *confidence, *x, *y, 0.1);
        let mut t = Tracker::new(TrackerConfig::default());
        t.update(ms(0), &things.iter().map(make).collect::<Vec<_>>());
        let before = t.tracks().to_vec();
        let region = Region::of(BBox::new(0.5, 0.0, 1.0, 1.0), BBox::FULL).unwrap();
        for i in 1..5 {
            t.update_part(ms(i * 500), &found.iter().map(make).collect::<Vec<_>>(), Some(&region));
        }
        // Near enough to be the same thing, one may be taken for another that moved: those apart may not.
        for old in before.iter().filter(|t| t.bbox.x1 < 0.35) {
            prop_assert!(t.tracks().contains(old), "{old:?}");
        }
    }
}
