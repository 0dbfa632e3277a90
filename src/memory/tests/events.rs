//! Where events begin and end, which pictures are kept, and what is known of them.

use std::time::Duration;

use super::{Facts, check, embedding, leaves, middle, ms, show, small, span, turn};
use crate::base::BBox;
use crate::memory::{Config, Digest, Memory, Op, Seen, SeenKind, Speaker, Tier};
use crate::watch::{Change, Colour};

#[test]
fn an_event_ends_where_the_picture_changes_and_not_for_one_odd_look() {
    let mut m = Memory::new(Config::default());
    show(&mut m, 0, 10_000, 1, |f| f);
    // A hand before the lens.
    m.see(ms(10_000), Facts::at(ms(10_000)).look(Some(embedding(9, 0, 64)), None));
    show(&mut m, 10_500, 5_000, 1, |f| f);
    assert_eq!(m.events().count(), 1);
    show(&mut m, 15_500, 6_000, 2, |f| f);
    let spans: Vec<_> = m.events().map(|e| e.span).collect();
    assert_eq!(spans.len(), 2);
    // The second unlike look is what cuts.
    assert_eq!((spans[0], spans[1].start), (span(0, 16_000), ms(16_000)));
}

#[test]
fn what_perception_calls_a_cut_cuts_at_once_but_no_event_is_too_short_or_too_long() {
    let mut m = Memory::new(Config::default());
    show(&mut m, 0, 1_000, 1, |f| f);
    // Told at 1 s, when the event is still too short: it is cut as soon as it is four seconds long.
    let cut = Facts::at(ms(1_000)).change(Change::SceneCut).look(Some(embedding(2, 0, 64)), None);
    m.see(ms(1_000), cut);
    show(&mut m, 1_500, 40_000, 2, |f| f);
    let lengths: Vec<_> = m.events().map(|e| e.span.length().as_millis()).collect();
    assert_eq!(lengths[..2], [4_000, 30_000]);
    let main = Facts::at(ms(41_500)).change(Change::MainChanged { from: "cup".into(), to: "dog".into() });
    m.see(ms(41_500), main.look(Some(embedding(2, 1, 64)), None));
    assert_eq!(m.events().last().unwrap().span.start, ms(41_500));
}

#[test]
fn without_looks_an_event_ends_at_its_last_one_and_the_gap_stays_a_gap() {
    let mut m = Memory::new(Config::default());
    show(&mut m, 0, 6_000, 1, |f| f);
    assert!(m.tick(ms(20_000)).is_empty());
    let ops = m.tick(ms(21_000));
    assert!(matches!(ops[..], [Op::Closed(_)]));
    show(&mut m, 60_000, 6_000, 1, |f| f);
    let spans: Vec<_> = m.events().map(|e| e.span).collect();
    assert_eq!(spans[0].end.as_millis(), 5_500);
    assert_eq!(spans[1].start, ms(60_000));
}

#[test]
fn a_still_scene_told_every_five_seconds_leaves_no_hole() {
    let mut m = Memory::new(Config::default());
    for t in (0..100_000).step_by(4_700) {
        m.see(ms(t), Facts::at(ms(t)).look(Some(embedding(1, t, 64)), None));
        m.tick(ms(t + 4_000));
    }
    let spans: Vec<_> = m.events().map(|e| e.span).collect();
    assert!(spans.len() >= 4 && spans.windows(2).all(|w| w[0].end == w[1].start), "{spans:?}");
    assert!(spans.iter().all(|s| s.length() <= Duration::from_secs(30)));
}

#[test]
fn pictures_of_one_event_differ_and_what_came_into_view_has_one() {
    let mut m = Memory::new(Config::default());
    show(&mut m, 0, 12_000, 1, |f| f);
    let event = m.events().last().unwrap();
    assert_eq!(event.keyframes.len(), 1, "alike pictures are not kept twice");
    let came =
        Facts::at(ms(12_000)).object("cup", 0.8, None, middle()).change(Change::Appeared { label: "cup".into() });
    let ops = m.see(ms(12_000), came.look(Some(embedding(1, 12_000, 64)), Some(2_000)));
    assert!(ops.iter().any(|op| matches!(op, Op::Kept { .. })), "{ops:?}");
    show(&mut m, 12_500, 12_000, 1, |f| f);
    let event = m.events().last().unwrap();
    assert_eq!(event.keyframes.iter().map(|k| k.at.as_millis()).collect::<Vec<_>>(), [0, 12_000]);
    let kept = event.keyframes[1].id;
    assert_eq!(m.keyframe(kept).unwrap().jpeg.len(), 2_000);
}

#[test]
fn the_oldest_event_moves_and_the_most_alike_neighbours_merge() {
    let mut m = Memory::new(Config { events: 2, roots: 2, ..small() });
    let mut ops = Vec::new();
    // Scenes 1 1 2 3 3 …: of the first three roots the first two are alike.
    for (i, scene) in [1, 1, 2, 3, 4, 5].into_iter().enumerate() {
        ops.extend(show(&mut m, i as u64 * 40_000, 5_000, scene, |f| f));
    }
    let merged: Vec<_> = ops
        .iter()
        .filter_map(|op| if let Op::Merged { from, depth, .. } = op { Some((*from, *depth)) } else { None })
        .collect();
    let ids: Vec<_> = leaves(&m).into_iter().map(|l| l.0).collect();
    assert_eq!(merged, [([ids[0], ids[1]], 1)]);
    let root = m.events().next().unwrap();
    assert_eq!(root.children.iter().map(|c| c.span.start.as_millis()).collect::<Vec<_>>(), [0, 40_000]);
    assert!(root.children.iter().all(|c| c.keyframe.is_some()));
    assert_eq!(m.tier_of(ids[1]), Some(Tier::LongTerm));
    check(&m);
}

#[test]
fn words_go_to_the_event_of_their_time_even_when_they_come_late() {
    let mut m = Memory::new(Config::default());
    show(&mut m, 10_000, 6_000, 1, |f| f);
    show(&mut m, 16_000, 6_000, 2, |f| f);
    let ops = m.hear(turn(ms(12_000), Speaker::Person, "this is my cup"));
    assert!(matches!(ops[..], [Op::Changed(_), Op::Closed(_)]));
    m.hear(turn(ms(21_000), Speaker::Person, "and this is my book"));
    m.hear(turn(ms(22_000), Speaker::Sightline, "I see a book."));
    let said: Vec<Vec<_>> = m.events().map(|e| e.said.iter().map(|s| s.text.as_str()).collect()).collect();
    assert_eq!(said, [vec!["this is my cup"], vec!["and this is my book", "I see a book."]]);
    assert!(m.events().next().unwrap().caption.contains("said: \"this is my cup\""));
    check(&m);
}

#[test]
fn words_before_the_first_look_are_remembered() {
    let mut m = Memory::new(Config::default());
    m.hear(turn(ms(1_000), Speaker::Person, "my keys are in the drawer"));
    show(&mut m, 3_000, 2_000, 1, |f| f);
    assert_eq!(m.events().count(), 1);
    assert_eq!(m.events().next().unwrap().span.start, ms(1_000));
    assert_eq!(m.events().next().unwrap().digest.looks, 4);
}

#[test]
fn live_only_keeps_the_newest_looks_and_nothing_else() {
    let mut m = Memory::new(Config::live_only(Config::default()));
    assert!(show(&mut m, 0, 60_000, 1, |f| f).is_empty());
    assert!(m.hear(turn(ms(1), Speaker::Person, "hello")).is_empty());
    assert_eq!((m.events().count(), m.working().count(), m.live().count()), (0, 0, 4));
}

#[test]
fn a_digest_knows_number_colour_text_and_what_was_shown() {
    let mut d = Digest::default();
    for t in 0..6_u64 {
        let mut f = Facts::at(ms(t * 500))
            .object("person", 0.9, Some(Colour::Blue), BBox::new(0.1, 0.0, 0.9, 1.0))
            .object("cup", 0.5 + 0.05 * t as f32, Some(Colour::Red), middle())
            .object("couch", 0.7, None, BBox::new(0.0, 0.4, 1.0, 1.0))
            .label("coffee mug", &["mug", "cup"], 0.45)
            .label("candle", &[], 0.15)
            .text("EXIT", 0.9);
        if t >= 3 {
            f = f.object("person", 0.6, None, BBox::new(0.8, 0.0, 1.0, 0.9));
        }
        if t == 2 {
            f = f.object("person", 0.4, None, middle()).object("person", 0.4, None, middle());
        }
        d.absorb(&f.0, ms(t * 500));
    }
    let find = |label: &str| d.things.iter().find(|s| s.label == label).unwrap();
    let cup = find("cup");
    assert_eq!(
        (cup.colour, cup.kind, cup.first, cup.last, cup.looks),
        (Some(Colour::Red), SeenKind::Object, ms(0), ms(2_500), 6)
    );
    assert!((cup.confidence - 0.75).abs() < 1e-6);
    assert_eq!(find("person").colour, None);
    assert_eq!(find("coffee mug").colour, Some(Colour::Red), "the name of the whole picture has the colour of the cup");
    assert!(d.things.iter().all(|s| s.label != "candle"), "an unsure alternative is no fact");
    assert_eq!(d.texts[0].text, "EXIT");
    let order: Vec<_> = d.salient().iter().map(|s| s.label.as_str()).collect();
    assert_eq!(order[0], "cup", "{order:?}");
    assert!(d.things.len() == 4 && order.len() == 4, "{order:?}");
}

#[test]
fn a_number_that_one_look_alone_gave_does_not_count() {
    let mut m = Memory::new(Config::default());
    for t in 0..8_u64 {
        let mut f = Facts::at(ms(t * 500)).object("person", 0.9, None, middle());
        if t == 4 {
            f = f.object("person", 0.5, None, middle());
        }
        m.see(ms(t * 500), f.look(None, None));
    }
    assert_eq!(m.events().next().unwrap().digest.things[0].most, 1);
    for t in 8..12_u64 {
        let f = Facts::at(ms(t * 500)).object("person", 0.9, None, middle()).object("person", 0.8, None, middle());
        m.see(ms(t * 500), f.look(None, None));
    }
    assert_eq!(m.events().next().unwrap().digest.things[0].most, 2);
}

#[test]
fn a_full_digest_still_takes_in_what_is_sure() {
    let mut d = Digest::default();
    for i in 0..200_u64 {
        d.absorb(&Facts::at(ms(i)).object(&format!("thing {i}"), 0.31, None, middle()).0, ms(i));
    }
    d.absorb(&Facts::at(ms(900)).object("cup", 0.9, None, middle()).0, ms(900));
    assert_eq!(d.things.len(), crate::memory::MOST_THINGS);
    assert!(d.things.iter().any(|s| s.label == "cup"));
    let mut other = Digest::default();
    other.absorb(&Facts::at(ms(1_000)).object("cup", 0.5, Some(Colour::Blue), middle()).0, ms(1_000));
    d.merge(&other);
    let cup: &Seen = d.things.iter().find(|s| s.label == "cup").unwrap();
    assert_eq!((cup.first, cup.last, cup.looks, cup.colour), (ms(900), ms(1_000), 2, Some(Colour::Blue)));
}

#[test]
fn a_caption_is_short_and_names_each_thing_once() {
    let mut m = Memory::new(Config::default());
    show(&mut m, 0, 3_000, 1, |f| {
        let f = f.object("cup", 0.8, Some(Colour::Red), middle()).label("coffee mug", &["mug", "cup"], 0.4);
        f.object("person", 0.9, None, BBox::FULL).object("person", 0.9, None, BBox::FULL).text("EXIT", 0.9)
    });
    assert_eq!(m.events().next().unwrap().caption, "a red cup; 2 people; text \"EXIT\"");
}
