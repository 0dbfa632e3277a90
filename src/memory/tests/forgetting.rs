//! What is forgotten is gone.

use proptest::prelude::*;

use super::streams::{Run, Step, step};
use super::{Facts, check, embedding, leaves, middle, ms, show, small, span, turn};
use crate::base::MediaTime;
use crate::memory::{Config, Event, Memory, Op, Span, Speaker};
use crate::watch::Colour;

/// No event, picture, fact or word carries a time of `gone`, no event that was never merged reaches into it, and nothing read, come or said then is left anywhere.
fn gone_for_good(m: &Memory, gone: Span, read: &[u64]) {
    let gone = Span { start: gone.start, end: crate::memory::span::after(gone.end) };
    let free = |what: &str, t: MediaTime| assert!(!gone.contains(t), "{what} at {t} is left");
    // Children that were joined across the hole name a time on either side of it; what they hold is looked at below.
    let plain = m.events().filter(|e| e.children.is_empty());
    plain.for_each(|e| assert!(!e.span.overlaps(gone), "{} {:?} reaches into {gone:?}", e.id, e.span));
    m.all_keyframes().for_each(|k| free("a picture", k.at));
    let of_events = |e: &Event| {
        let own = (e.digest.clone(), e.said.clone());
        std::iter::once(own).chain(e.children.iter().map(|c| (c.digest.clone(), c.said.clone()))).collect::<Vec<_>>()
    };
    let windows = m.working().map(|s| s.digest.clone()).chain(m.live().map(|g| g.digest.clone()));
    let all = m.events().flat_map(of_events).chain(windows.map(|d| (d, Vec::new())));
    for (digest, said) in all {
        digest.things.iter().for_each(|s| {
            free("a thing", s.first);
            free("a thing", s.last)
        });
        digest.texts.iter().for_each(|t| {
            free("a text", t.first);
            free("a text", t.last)
        });
        digest.changes.iter().for_each(|c| free("a change", c.at));
        said.iter().for_each(|s| free("a word", s.at));
    }
    let everything = format!("{m:?}");
    for t in read.iter().filter(|t| gone.contains(ms(**t))) {
        for trace in [format!("\"line {t}\""), format!("\"came {t}\""), format!("line {t} was said")] {
            assert!(!everything.contains(&trace), "{trace} is left somewhere");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, rng_seed: super::seed(), ..ProptestConfig::default() })]

    #[test]
    fn nothing_of_a_forgotten_span_is_left_and_nothing_of_it_comes_back(
        steps in proptest::collection::vec(step(), 1..120), back in 0..120_000_u64, length in 0..90_000_u64,
        later in proptest::collection::vec(step(), 0..20),
    ) {
        let mut run = Run::new(small());
        // Only times that never go back: facts then say truly when they were.
        let forward = |s: &Step| match s.clone() {
            Step::Look { dt, scene, things, jpeg, image } => Step::Look { dt: dt.clamp(0, 20_000), scene, things, jpeg, image },
            Step::Say { dt, long, ours } => Step::Say { dt: dt.clamp(0, 20_000), long, ours },
            Step::Tick { dt } => Step::Tick { dt: dt.clamp(0, 5_000) },
            other => other,
        };
        let mut times = Vec::new();
        for s in &steps {
            run.step(&forward(s));
            times.push(u64::try_from(run.now).unwrap());
        }
        let end = u64::try_from(run.now).unwrap().saturating_sub(back);
        let gone = span(end.saturating_sub(length), end);
        let before: Vec<_> = leaves(&run.memory);
        run.step(&Step::Forget { back, length });
        run.check();
        gone_for_good(&run.memory, gone, &times);
        // What lay outside is still there.
        let after = leaves(&run.memory);
        for (id, s) in before {
            let still = s.overlaps(Span { start: gone.start, end: crate::memory::span::after(gone.end) }) || after.iter().any(|(_, a)| a.covers(s));
            prop_assert!(still, "{} {:?} was not to be forgotten", id, s);
        }
        for s in &later {
            let dt = run.now;
            run.step(&forward(s));
            if run.now == dt { run.now += 1; } // What comes at the very instant of forgetting is refused; go on.
        }
        check(&run.memory);
        let everything = format!("{:?}", run.memory);
        for t in times.iter().filter(|t| gone.contains(ms(**t)) || ms(**t) == gone.end) {
            // A step of no time says the same words again, but only at the last instant.
            prop_assert!(!everything.contains(&format!("\"came {t}\"")), "came {} is back", t);
        }
    }

    #[test]
    fn forgetting_again_and_again_keeps_every_bound(steps in proptest::collection::vec(prop_oneof![
        6 => step(),
        1 => (0..100_000_u64, 0..60_000_u64).prop_map(|(back, length)| Step::Forget { back, length }),
    ], 1..150)) {
        let mut run = Run::new(small());
        for s in &steps {
            run.step(s);
            run.check();
        }
    }
}

fn cup_then_secret() -> Memory {
    let mut m = Memory::new(Config::default());
    show(&mut m, 0, 10_000, 1, |f| f.object("cup", 0.6, Some(Colour::Red), middle()));
    m.hear(turn(ms(9_000), Speaker::Person, "this is my cup"));
    for t in (10_000..20_000_u64).step_by(500) {
        let f = Facts::at(ms(t)).object("cup", 0.9, Some(Colour::Green), middle()).text("PIN ABCD", 0.9);
        m.see(ms(t), f.look(Some(embedding(1, t, 64)), Some(2_000)));
    }
    show(&mut m, 20_000, 5_000, 1, |f| f.object("cup", 0.5, None, middle()));
    m
}

#[test]
fn an_event_that_reaches_in_is_cut_and_keeps_only_what_is_known_outside() {
    let mut m = cup_then_secret();
    let one = m.events().next().unwrap().id;
    let ops = m.forget(span(9_600, 19_900));
    let parts: Vec<&Event> = m.events().collect();
    assert_eq!(
        parts.iter().map(|e| (e.span.start.as_millis(), e.span.end.as_millis())).collect::<Vec<_>>(),
        [(0, 9_600), (19_900, 24_500)]
    );
    assert_eq!(parts[0].id, one);
    assert!(parts.iter().all(|e| e.image.is_none() && e.digest.texts.is_empty()));
    let cups: Vec<_> = parts.iter().map(|e| (&e.digest.things[0].label, e.digest.things[0].colour)).collect();
    assert!(
        cups.iter().all(|(label, colour)| *label == "cup" && colour.is_none()),
        "the green may be from inside: {cups:?}"
    );
    assert_eq!(parts[0].said.len(), 1);
    assert!(
        matches!(&ops[0], Op::Forgot { nodes, keyframes, .. } if nodes.is_empty() && !keyframes.is_empty() || nodes.is_empty())
    );
    assert!(ops.contains(&Op::Closed(parts[0].id)) && ops.contains(&Op::Changed(parts[1].id)));
    // The part after it is still open and goes on.
    show(&mut m, 25_000, 2_000, 1, |f| f);
    assert_eq!(m.events().count(), 2);
    check(&m);
}

#[test]
fn all_that_was_up_to_now_goes_and_late_looks_and_words_of_it_are_refused() {
    let mut m = cup_then_secret();
    m.tick(ms(24_900));
    let ops = m.forget(span(0, 24_900));
    assert!(matches!(&ops[..], [Op::Forgot { nodes, .. }] if nodes.len() == 1), "{ops:?}");
    assert_eq!((m.events().count(), m.live().count(), m.working().count()), (0, 0, 0));
    assert!(m.see(ms(24_800), Facts::at(ms(24_800)).look(None, Some(100))).is_empty());
    assert!(m.hear(turn(ms(24_000), Speaker::Person, "the pin is 1234")).is_empty());
    // A fresh look still carries facts of what was forgotten.
    let mut stale = Facts::at(ms(24_000)).text("PIN ABCD", 0.9).object("card", 0.9, None, middle());
    stale.0.at = ms(26_000);
    m.see(ms(26_000), stale.look(None, Some(100)));
    let text = format!("{m:?}");
    assert!(!text.contains("PIN") && !text.contains("card"));
    assert_eq!(m.events().count(), 1);
}

#[test]
fn an_end_beyond_now_means_now_and_the_memory_goes_on() {
    let mut m = cup_then_secret();
    m.forget(Span::ALWAYS);
    show(&mut m, 30_000, 5_000, 2, |f| f);
    assert_eq!(m.events().count(), 1);
}
