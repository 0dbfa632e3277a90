//! What is found, and what is not.

use proptest::prelude::*;

use super::streams::{Run, step};
use super::{Facts, embedding, middle, ms, show, small, span, turn};
use crate::memory::{Config, Memory, Op, Order, Query, Recall, Span, Speaker, Tier};
use crate::watch::Colour;

/// The caption's stand-in for an encoder: one direction per topic.
fn topic(n: u64) -> Vec<f32> {
    embedding(1_000 + n, 0, 48).to_vec()
}

/// Twenty minutes of an office, with a red cup, a sign and words at known times.
fn twenty_minutes(config: Config) -> Memory {
    let mut m = Memory::new(config);
    let mut ops = Vec::new();
    for minute in 0..20_u64 {
        let t = minute * 60_000;
        let office = |f: Facts| f.object("person", 0.9, None, middle()).object("chair", 0.6, None, middle());
        ops.extend(show(&mut m, t, 40_000, 1, office));
        ops.extend(match minute {
            3 => show(&mut m, t + 40_000, 20_000, 2, |f| {
                office(f).object("cup", 0.8, Some(Colour::Red), middle()).label("coffee mug", &["mug", "cup"], 0.6)
            }),
            7 => show(&mut m, t + 40_000, 20_000, 3, |f| office(f).text("PLATFORM NINE", 0.9)),
            11 => {
                m.hear(turn(ms(t + 45_000), Speaker::Person, "my keys are in the blue drawer"));
                show(&mut m, t + 40_000, 20_000, 1, office)
            }
            15 => show(&mut m, t + 40_000, 20_000, 4, |f| office(f).object("cup", 0.7, Some(Colour::Blue), middle())),
            _ => show(&mut m, t + 40_000, 20_000, 1, office),
        });
    }
    for op in ops {
        if let Op::Closed(id) = op
            && let Some(event) = m.event(id)
        {
            let n = if event.caption.contains("cup") { 1 } else { 2 };
            m.set_text_embedding(id, &topic(n));
        }
    }
    m
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn ask<'a>(words: &'a [String]) -> Query<'a> {
    Query { words, most: 8, ..Query::default() }
}

/// The minutes of the hits, in order; a minute may be two events.
fn starts(r: &Recall) -> Vec<u64> {
    let mut minutes: Vec<u64> = r.hits.iter().map(|h| h.span.start.as_millis() / 60_000).collect();
    minutes.dedup();
    minutes
}

#[test]
fn a_thing_a_text_and_words_are_found_by_their_words() {
    // The second memory has had to move and merge most of it.
    for config in [Config::default(), Config { events: 8, roots: 4, ..Config::default() }] {
        let m = twenty_minutes(config);
        let cup = m.recall(&ask(&words(&["mug"])));
        assert_eq!(starts(&cup), [3], "{:?}", m.tiers());
        let things = &cup.hits[0].digest.things;
        assert_eq!(things.iter().find(|s| s.label == "cup").unwrap().colour, Some(Colour::Red));
        assert!(!cup.hits[0].keyframes.is_empty());
        let picture = m.keyframe(cup.hits[0].keyframes[0]).unwrap();
        assert!(cup.hits[0].span.contains(picture.at));
        let sign = m.recall(&ask(&words(&["platform"])));
        assert_eq!(sign.hits[0].digest.texts[0].text, "PLATFORM NINE");
        let keys = m.recall(&ask(&words(&["keys"])));
        assert_eq!(keys.hits[0].said[0].text, "my keys are in the blue drawer");
    }
}

#[test]
fn what_was_never_there_is_not_found() {
    let m = twenty_minutes(Config::default());
    let none = m.recall(&Query { text: Some(&topic(77)), ..ask(&words(&["elephant"])) });
    assert!(none.hits.is_empty() && none.considered > 30);
    let nothing_then = m.recall(&Query { span: Some(span(9_000_000, 9_900_000)), ..ask(&[]) });
    assert_eq!((nothing_then.hits.len(), nothing_then.considered), (0, 0));
}

#[test]
fn a_question_about_a_thing_is_no_sighting_of_it() {
    let mut m = twenty_minutes(Config::default());
    m.hear(turn(ms(1_201_000), Speaker::Person, "where did you see my cup"));
    m.hear(turn(ms(1_202_000), Speaker::Sightline, "I saw the cup ten minutes ago."));
    let last = m.recall(&Query { order: Order::Last, ..ask(&words(&["cup"])) });
    assert_eq!(starts(&last), [15, 3]);
}

#[test]
fn first_and_last_go_by_time_among_what_fits() {
    let m = twenty_minutes(Config::default());
    let fit = |name: &str| if name == "cup" { 1.0 } else { 0.0 };
    let q = Query { fit: Some(&fit), most: 1, ..Query::default() };
    assert_eq!(starts(&m.recall(&Query { order: Order::First, ..q })), [3]);
    assert_eq!(starts(&m.recall(&Query { order: Order::Last, ..q })), [15]);
    let within = Query { span: Some(span(0, 600_000)), order: Order::Last, ..q };
    assert_eq!(starts(&m.recall(&within)), [3]);
}

#[test]
fn meaning_and_words_together_rank_above_either() {
    let m = twenty_minutes(Config::default());
    let both = m.recall(&Query { text: Some(&topic(1)), ..ask(&words(&["red", "cup", "mug"])) });
    assert_eq!(starts(&both)[0], 3);
    assert!(both.hits[0].score > 1.9 / 61.0, "{}", both.hits[0].score);
    let meaning = m.recall(&Query { text: Some(&topic(1)), most: 8, ..Query::default() });
    assert!(starts(&meaning).iter().all(|s| [3, 15].contains(s)), "{:?}", starts(&meaning));
    let like = embedding(4, 99, 64);
    let picture = m.recall(&Query { image: Some(&like), most: 8, ..Query::default() });
    assert!(!picture.hits.is_empty() && starts(&picture).iter().all(|s| *s == 15), "{:?}", starts(&picture));
}

#[test]
fn asked_only_for_a_time_it_tells_what_was_shown_then_not_what_is_always_there() {
    let m = twenty_minutes(Config::default());
    let shown = m.recall(&Query { span: Some(span(120_000, 600_000)), ..ask(&[]) });
    assert_eq!(starts(&shown)[0], 3);
    assert!(starts(&shown).iter().take(3).any(|s| *s == 7), "the sign too: {:?}", starts(&shown));
    assert!(shown.hits.len() <= 8 && shown.hits.iter().map(|h| h.keyframes.len()).sum::<usize>() <= 8);
}

#[test]
fn the_recent_past_is_told_by_the_second() {
    let mut m = twenty_minutes(Config::default());
    let t = 1_200_000;
    m.hear(turn(ms(t - 8_000), Speaker::Person, "look at this"));
    show(&mut m, t, 2_000, 5, |f| f.object("banana", 0.8, Some(Colour::Yellow), middle()));
    show(&mut m, t + 2_000, 18_000, 1, |f| f.object("person", 0.9, None, middle()));
    let q = |back: u64| Query { span: Some(span(t + 20_000 - back, t + 20_000)), ..ask(&[]) };
    let half_a_minute = m.recall(&q(30_000));
    assert!(half_a_minute.hits.iter().all(|h| h.tier == Tier::Working && h.event.is_some()));
    assert_eq!(half_a_minute.hits[0].digest.salient()[0].label, "banana");
    assert!(half_a_minute.hits[0].span.length().as_secs() <= 1);
    assert!(half_a_minute.hits.iter().any(|h| h.said.iter().any(|s| s.text == "look at this")));
    let now = m.recall(&q(2_000));
    assert!(!now.hits.is_empty() && now.hits.iter().all(|h| h.tier == Tier::Live));
    let longer = m.recall(&q(60_000));
    assert!(longer.hits.iter().all(|h| matches!(h.tier, Tier::Episodic | Tier::Open)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_outside_the_span_is_ever_told(
        steps in proptest::collection::vec(step(), 1..160), from in 0..200_u64, length in 0..100_u64,
        asked in 0..3_usize, order in 0..3_usize,
    ) {
        let mut run = Run::new(small());
        steps.iter().for_each(|s| { run.step(s); });
        let m = &run.memory;
        // The span is laid over what was watched, so that it meets something.
        let end = m.newest.as_millis().max(1);
        let wanted = Span::new(ms(end / 200 * from), ms(end / 200 * from + end / 150 * length));
        let list = words(&["cup", "line", "word"]);
        let query = Query {
            span: Some(wanted),
            words: if asked > 0 { &list } else { &[] },
            image: (asked == 2).then_some(&[1.0; 24][..]),
            most: 8,
            order: [Order::Best, Order::First, Order::Last][order],
            ..Query::default()
        };
        let found = m.recall(&query);
        prop_assert!(found.hits.len() <= 8);
        prop_assert!(found.hits.iter().map(|h| h.keyframes.len()).sum::<usize>() <= 8);
        for h in &found.hits {
            prop_assert!(h.span.overlaps(wanted));
            prop_assert!(h.said.iter().all(|s| wanted.contains(s.at)));
            prop_assert!(h.digest.changes.iter().all(|c| wanted.contains(c.at)));
            let holds = |first, last| Span { start: first, end: crate::memory::span::after(last) }.overlaps(wanted);
            prop_assert!(h.digest.things.iter().all(|s| holds(s.first, s.last)));
            prop_assert!(h.digest.texts.iter().all(|t| holds(t.first, t.last)));
            prop_assert!((0.0..=1.0).contains(&h.similarity));
            for k in &h.keyframes {
                let k = m.keyframe(*k).expect("a hit's picture is there");
                // A second without a picture of its own is shown by the one of its event that stood then.
                let stood = matches!(h.tier, Tier::Live | Tier::Working) && k.at <= h.span.start;
                prop_assert!((h.span.contains(k.at) || stood) && k.at < wanted.end.max(crate::memory::span::after(wanted.start)));
            }
        }
        prop_assert_eq!(m.recall(&query), found);
    }
}
