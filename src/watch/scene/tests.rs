use proptest::prelude::*;

use super::{Look, MAX_CHANGES, MAX_LABELS, MAX_TEXTS, Scene, SceneConfig};
use crate::base::{BBox, MediaTime, RgbFrame};
use crate::watch::testing::{at, blocks, flat};
use crate::watch::{CLASSIFIER, Change, Colour, DETECTOR, OCR, Region, SceneFacts, Sighting, Unusable};

fn object(label: &str, x: f32) -> Sighting {
    Sighting::Object { label: label.into(), confidence: 0.8, bbox: BBox::new(x, 0.3, x + 0.2, 0.6) }
}

fn label(name: &str, broader: &str) -> Sighting {
    Sighting::Label { label: name.into(), broader: vec![broader.into()], confidence: 0.7, bbox: BBox::FULL }
}

fn text(words: &str, x: f32, y: f32) -> Sighting {
    Sighting::Text { text: words.into(), confidence: 0.9, bbox: BBox::new(x, y, x + 0.2, y + 0.05) }
}

fn look(expert: &'static str, sightings: Vec<Sighting>) -> Look {
    Look::whole(expert, sightings)
}

fn names(facts: &SceneFacts) -> Vec<&str> {
    facts.objects.iter().map(|o| o.label.as_str()).collect()
}

fn changes(facts: &SceneFacts) -> Vec<Change> {
    facts.changes.iter().map(|c| c.change.clone()).collect()
}

/// Three half-second looks at one picture, then whatever the test does.
fn settled() -> (Scene, RgbFrame) {
    let mut scene = Scene::new(SceneConfig::default());
    let picture = blocks(1);
    for i in 0..3 {
        scene.observe(
            &at(picture.clone(), i * 500),
            &[
                look(DETECTOR, vec![object("cup", 0.2)]),
                look(CLASSIFIER, vec![label("coffee mug", "mug")]),
                look(OCR, vec![text("HELLO", 0.1, 0.1)]),
            ],
        );
    }
    (scene, picture)
}

#[test]
fn what_is_there_at_the_start_has_not_appeared() {
    let (scene, _) = settled();
    let facts = scene.facts();
    assert_eq!(names(facts), ["cup"]);
    assert_eq!((facts.labels.len(), facts.texts.len()), (1, 1));
    assert!(facts.changes.is_empty(), "{:?}", facts.changes);
    assert_eq!(facts.looked, ["classifier", "detector", "ocr"]);
}

#[test]
fn comings_goings_and_new_text_are_told_newest_first() {
    let (mut scene, picture) = settled();
    scene.observe(&at(picture.clone(), 1500), &[look(DETECTOR, vec![object("cup", 0.2), object("dog", 0.7)])]);
    for i in 0..3 {
        let looks = [look(DETECTOR, vec![object("dog", 0.7)]), look(OCR, vec![text("EXIT NOW", 0.5, 0.5)])];
        scene.observe(&at(picture.clone(), 2000 + i * 500), &looks);
    }
    let told = changes(scene.facts());
    assert_eq!(
        told,
        [
            Change::Disappeared { label: "cup".into() },
            Change::TextAppeared { text: "EXIT NOW".into() },
            Change::Appeared { label: "dog".into() }
        ]
    );
}

#[test]
fn an_expert_that_did_not_look_keeps_its_facts_until_they_are_stale() {
    let (mut scene, picture) = settled();
    for i in 0..20 {
        scene.observe(&at(picture.clone(), 1500 + i * 1000), &[look(CLASSIFIER, vec![label("coffee mug", "mug")])]);
    }
    assert_eq!((names(scene.facts()), scene.facts().texts.len()), (vec!["cup"], 1));
    scene.observe(&at(picture, 22_000), &[look(CLASSIFIER, vec![label("coffee mug", "mug")])]);
    assert!(names(scene.facts()).is_empty() && scene.facts().texts.is_empty());
    assert_eq!((scene.facts().looked.clone(), scene.facts().labels.len()), (vec![CLASSIFIER], 1));
}

#[test]
fn after_a_cut_nothing_old_remains_and_late_looks_at_the_old_picture_are_ignored() {
    let (mut scene, picture) = settled();
    let facts = scene.observe(&at(blocks(99), 2000), &[]);
    assert!(facts.objects.is_empty() && facts.labels.is_empty() && facts.texts.is_empty() && facts.looked.is_empty());
    assert_eq!(changes(facts), [Change::SceneCut]);
    let facts = scene.observe(&at(picture, 1500), &[look(DETECTOR, vec![object("cup", 0.2)])]);
    assert!(facts.objects.is_empty() && facts.at == MediaTime::from_millis(2000));
    let facts = scene.observe(&at(blocks(99), 2000), &[look(CLASSIFIER, vec![label("tabby", "cat")])]);
    let main = Change::MainChanged { from: "coffee mug".into(), to: "tabby".into() };
    assert_eq!(changes(facts), [main, Change::SceneCut]);
}

#[test]
fn a_main_thing_that_flickers_or_is_only_named_more_finely_has_not_changed() {
    let (mut scene, picture) = settled();
    let said =
        [("tabby", "cat"), ("coffee mug", "mug"), ("espresso mug", "mug"), ("tabby", "cat"), ("tiger cat", "cat")];
    for (i, (name, broader)) in said.iter().enumerate() {
        scene.observe(&at(picture.clone(), 1500 + i as u64 * 500), &[look(CLASSIFIER, vec![label(name, broader)])]);
    }
    assert_eq!(changes(scene.facts()), [Change::MainChanged { from: "espresso mug".into(), to: "tiger cat".into() }]);
}

#[test]
fn lights_out_is_dark_and_not_a_cut_and_the_same_room_comes_back() {
    let (mut scene, picture) = settled();
    let facts = scene.observe(&at(flat(160, 120, [4; 3]), 2000), &[]);
    assert_eq!(facts.unusable, Some(Unusable::Dark));
    assert_eq!(changes(facts), [Change::Light { brighter: false }]);
    let facts = scene.observe(&at(picture, 2500), &[]);
    assert_eq!((facts.unusable, names(facts)), (None, vec!["cup"]));
    assert_eq!(changes(facts)[0], Change::Light { brighter: true });
    let facts = scene.observe(&at(flat(160, 120, [90, 120, 160]), 3000), &[]);
    assert_eq!((facts.unusable, facts.colours[0].colour), (Some(Unusable::Blank), Colour::Blue));
}

#[test]
fn texts_stand_in_reading_order_and_one_missed_reading_loses_none() {
    let (mut scene, picture) = settled();
    let lines = vec![text("three", 0.1, 0.5), text("two", 0.5, 0.11), text("one", 0.1, 0.1)];
    scene.observe(&at(picture.clone(), 2000), &[look(OCR, lines)]);
    scene.observe(&at(picture, 2500), &[look(OCR, vec![text("three", 0.1, 0.5)])]);
    let read: Vec<&str> = scene.facts().texts.iter().map(|t| t.text.as_str()).collect();
    assert_eq!(read, ["one", "two", "three"]);
}

#[test]
fn a_broken_frame_changes_nothing() {
    let (mut scene, mut picture) = settled();
    let before = scene.facts().clone();
    picture.width = 7;
    assert_eq!(*scene.observe(&at(picture, 9000), &[look(DETECTOR, vec![object("dog", 0.1)])]), before);
}

fn any_sighting() -> impl Strategy<Value = Sighting> {
    let confidence = prop_oneof![Just(f32::NAN), -1.0..2.0_f32];
    (0..3_u8, "[a-zA-Z ]{0,12}", confidence, -0.5..1.5_f32, -0.5..1.5_f32).prop_map(|(kind, word, confidence, x, y)| {
        let bbox = BBox::new(x, y, x + 0.3, y + 0.1);
        match kind {
            0 => Sighting::Object { label: word, confidence, bbox },
            1 => Sighting::Label { label: word, broader: vec![], confidence, bbox },
            _ => Sighting::Text { text: word, confidence, bbox },
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn facts_stay_bounded_and_equal_input_gives_equal_facts(
        steps in prop::collection::vec((0..4_u32, 0..30_000_u64, prop::collection::vec(any_sighting(), 0..80)), 1..10)
    ) {
        let run = || {
            let mut scene = Scene::new(SceneConfig::default());
            for (seed, ms, sightings) in &steps {
                let looks = [DETECTOR, CLASSIFIER, OCR, "vlm"].map(|e| look(e, sightings.clone()));
                scene.observe(&at(blocks(*seed), *ms), &looks);
            }
            scene.facts().clone()
        };
        let facts = run();
        prop_assert!(facts.objects.len() <= 32 && facts.labels.len() <= MAX_LABELS);
        prop_assert!(facts.texts.len() <= MAX_TEXTS && facts.changes.len() <= MAX_CHANGES && facts.looked.len() <= 8);
        prop_assert!((0.0..=1.0).contains(&facts.motion) && (0.0..=1.0).contains(&facts.brightness));
        prop_assert!(facts.changes.windows(2).all(|w| w[0].at >= w[1].at) || steps.windows(2).any(|w| w[0].1 > w[1].1));
        prop_assert_eq!(facts, run());
    }
}

#[test]
fn a_look_at_a_part_adds_to_what_is_known_around_it() {
    let (mut scene, picture) = settled();
    let region = Region::of(BBox::new(0.5, 0.2, 1.0, 0.8), BBox::FULL);
    let part = |expert, sightings| Look { expert, sightings, region };
    for i in 0..4 {
        let looks = [
            part(DETECTOR, vec![object("dog", 0.6)]),
            look(CLASSIFIER, vec![label("coffee mug", "mug")]),
            part(OCR, vec![text("HELLO", 0.6, 0.5)]),
        ];
        scene.observe(&at(picture.clone(), 1_500 + i * 500), &looks);
    }
    let facts = scene.facts();
    assert_eq!(names(facts), ["cup", "dog"]);
    let texts: Vec<(&str, f32)> = facts.texts.iter().map(|t| (t.text.as_str(), t.bbox.x0)).collect();
    assert_eq!(texts, [("HELLO", 0.1), ("HELLO", 0.6)], "the same words elsewhere are another line");
    assert_eq!(facts.texts[0].at, MediaTime::from_millis(1_000));
    // The next look at all of it finds the dog and the second line only.
    let whole = [look(DETECTOR, vec![object("dog", 0.6)]), look(OCR, vec![text("HELLO", 0.6, 0.5)])];
    for i in 0..4 {
        scene.observe(&at(picture.clone(), 4_000 + i * 500), &whole);
    }
    assert_eq!((names(scene.facts()), scene.facts().texts.len()), (vec!["dog"], 1));
}
