use std::time::Duration;

use super::{GUESS, Hold, KINDS, Kind, LONG, MORE, Scheduler, Task, Weight};
use crate::base::MediaTime;

impl Scheduler {
    /// Work of one session.
    fn put(&mut self, task: Task, now: MediaTime) {
        self.add(task, 0, now);
    }

    /// Nothing is due.
    fn free(&mut self, now: MediaTime) -> Option<Task> {
        self.due(now, Hold::default(), |_| Duration::ZERO)
    }

    /// All sessions had as much.
    fn due(&mut self, now: MediaTime, hold: Hold, takes: impl Fn(Task) -> Duration) -> Option<Task> {
        self.next(now, hold, |task, _| Weight { takes: takes(task), ..Weight::default() })
    }

    /// What each seat had of the device is in `had`.
    fn among(&mut self, now: MediaTime, had: &[f64]) -> Option<Task> {
        self.next(now, Hold::default(), |_, seat| weight(had[seat]))
    }
}

/// Everybody's part is what nobody may be ahead.
fn weight(had: f64) -> Weight {
    Weight { had, over: had > MORE, ..Weight::default() }
}

fn at(ms: u64) -> MediaTime {
    MediaTime::from_millis(ms)
}

#[test]
fn the_more_urgent_kind_goes_first() {
    let mut s = Scheduler::default();
    for kind in Kind::ALL.into_iter().rev() {
        s.put((kind, 1), at(0));
    }
    let order: Vec<Kind> = std::iter::from_fn(|| s.free(at(0))).map(|t| t.0).collect();
    assert_eq!(order, Kind::ALL);
    assert!(s.is_empty());
}

#[test]
fn answers_take_turns_and_begun_perception_is_finished_first() {
    let mut s = Scheduler::default();
    s.put((Kind::Answer, 1), at(0));
    s.put((Kind::Answer, 2), at(0));
    let mut order = Vec::new();
    for _ in 0..4 {
        let task = s.free(at(0)).unwrap();
        order.push(task.1);
        s.put(task, at(0));
    }
    assert_eq!(order, [1, 2, 1, 2]);
    let mut s = Scheduler::default();
    s.put((Kind::Background, 7), at(0));
    s.put((Kind::Background, 8), at(0));
    let task = s.free(at(0)).unwrap();
    s.resume(task, 0, at(0));
    assert_eq!(s.free(at(0)), Some((Kind::Background, 7)));
}

/// Runs one answer that has begun and never ends beside endless perception, a step taking `ms`; returns how many steps each kind got.
fn share(ms: u64, others: &[Kind]) -> [usize; KINDS] {
    let mut s = Scheduler::default();
    let mut steps = [0; KINDS];
    s.put((Kind::Answer, 1), at(0));
    for kind in others {
        s.put((*kind, 9), at(0));
    }
    for i in 1..=1000 {
        let task = s.free(at(i * ms)).unwrap();
        steps[task.0 as usize] += 1;
        s.put(task, at(i * ms));
    }
    steps
}

#[test]
fn background_perception_gets_a_share_while_an_answer_streams() {
    let steps = share(25, &[Kind::Background]);
    // One step of 25 ms in 400 ms: 1 in 17.
    assert!((50..=70).contains(&steps[Kind::Background as usize]), "{steps:?}");
    assert!(steps[Kind::Answer as usize] > 900, "{steps:?}");
}

#[test]
fn the_embedding_of_a_question_passes_looks_and_soon_passes_answers() {
    let mut s = Scheduler::default();
    s.put((Kind::Question, 1), at(0));
    let begun = s.free(at(0)).unwrap();
    s.resume(begun, 0, at(50));
    s.put((Kind::Embed, 2), at(50));
    s.put((Kind::Answer, 3), at(50));
    assert_eq!(s.free(at(50)), Some((Kind::Answer, 3)));
    s.put((Kind::Answer, 3), at(80));
    assert_eq!(s.free(at(110)), Some((Kind::Embed, 2)));
}

#[test]
fn prefilling_ahead_never_delays_an_answer_but_passes_perception() {
    assert_eq!(share(100, &[Kind::Warm])[Kind::Warm as usize], 0);
    let mut s = Scheduler::default();
    s.put((Kind::Warm, 1), at(0));
    s.put((Kind::Background, 2), at(0));
    assert_eq!(s.free(at(900)), Some((Kind::Warm, 1)));
}

#[test]
fn prefilling_ahead_passes_an_answer_of_who_had_more_than_its_part_and_does_not_starve_it() {
    let steps = |warm: f64, answer: f64| {
        let (mut s, mut steps) = (Scheduler::default(), [0; KINDS]);
        s.add((Kind::Warm, 0), 0, at(0));
        s.add((Kind::Answer, 1), 1, at(0));
        for i in 1..=400 {
            let task = s.among(at(i * 25), &[warm, answer]).unwrap();
            steps[task.0 as usize] += 1;
            s.add(task, task.1 as usize, at(i * 25));
        }
        (steps[Kind::Warm as usize], steps[Kind::Answer as usize])
    };
    let (warm, answer) = steps(0.0, MORE * 3.0);
    assert!(warm > 100 && answer > 190, "{warm} {answer}");
    assert_eq!(steps(0.0, 0.0), (0, 400), "an answer of somebody like others comes first");
    assert_eq!(steps(MORE * 3.0, MORE * 3.0).0, 0, "and who floods does not pass another");
}

#[test]
fn prefilling_ahead_is_not_held_back_for_first_words_of_who_had_more_than_its_part() {
    let next = |within: Option<MediaTime>, warm: f64| {
        let mut s = Scheduler::default();
        s.add((Kind::Warm, 0), 0, at(0));
        let hold = Hold { answer: Some(at(0)), within, turn: None };
        s.next(at(10), hold, |_, _| weight(warm))
    };
    assert_eq!(next(None, 0.0), Some((Kind::Warm, 0)));
    assert_eq!((next(Some(at(0)), 0.0), next(None, MORE * 2.0)), (None, None));
}

#[test]
fn nothing_overtakes_speech() {
    let mut s = Scheduler::default();
    s.put((Kind::Background, 2), at(0));
    s.put((Kind::Speech, 1), at(5000));
    assert_eq!(s.free(at(5000)), Some((Kind::Speech, 1)));
}

#[test]
fn removed_work_never_comes_and_work_added_twice_comes_once() {
    let mut s = Scheduler::default();
    s.put((Kind::Answer, 1), at(0));
    s.put((Kind::Answer, 1), at(0));
    s.put((Kind::Warm, 2), at(0));
    s.remove((Kind::Warm, 2));
    assert_eq!(s.free(at(0)), Some((Kind::Answer, 1)));
    assert_eq!(s.free(at(0)), None);
}

#[test]
fn a_look_is_not_begun_when_a_turn_is_expected_before_it_would_end() {
    let mut s = Scheduler::default();
    s.put((Kind::Background, 1), at(0));
    let hold = Hold { turn: Some(at(100)), ..Hold::default() };
    let takes = |task: Task| Duration::from_millis(if task.0 == Kind::Background { 80 } else { 300 });
    assert_eq!(s.due(at(50), hold, takes), None);
    assert_eq!(s.due(at(60), hold, takes), None);
    assert_eq!(s.take_deferred(), [Kind::Background], "counted once");
    // Reading what is being said is for the turn that is expected.
    s.put((Kind::Partial, 2), at(60));
    assert_eq!(s.due(at(60), hold, takes), Some((Kind::Partial, 2)));
    assert_eq!(s.due(at(10), hold, takes), Some((Kind::Background, 1)), "there was time for it before");
}

#[test]
fn what_can_wait_is_held_back_for_a_first_word_and_nothing_else_is() {
    let kinds = [Kind::Partial, Kind::Ahead, Kind::Background, Kind::Warm];
    let hold = Hold { answer: Some(at(1_000)), within: Some(at(1_000)), turn: None };
    let takes = |_| Duration::from_millis(100);
    for kind in Kind::ALL {
        let mut s = Scheduler::default();
        s.put((kind, 1), at(0));
        assert_eq!(s.due(at(950), hold, takes).is_none(), kinds.contains(&kind), "{kind:?}");
        // A first word that is late already is not made later.
        let mut s = Scheduler::default();
        s.put((kind, 1), at(1_500));
        assert_eq!(s.due(at(2_000), hold, takes).is_none(), kinds.contains(&kind), "{kind:?}");
    }
}

#[test]
fn nothing_is_held_back_for_ever() {
    let mut s = Scheduler::default();
    s.put((Kind::Background, 1), at(0));
    s.put((Kind::Answer, 2), at(0));
    let hold = Hold { answer: Some(at(0)), within: Some(at(0)), turn: None };
    let mut looked_at = None;
    for now in (0..3_000).step_by(50) {
        let (kind, id) = s.due(at(now), hold, |_| Duration::from_millis(100)).unwrap();
        if kind == Kind::Background {
            looked_at = Some(now);
            break;
        }
        s.put((kind, id), at(now));
    }
    assert_eq!(looked_at, Some(1_000));
}

#[test]
fn work_of_unknown_cost_is_never_held_back_for_a_turn() {
    let mut s = Scheduler::default();
    s.put((Kind::Background, 1), at(0));
    let hold = Hold { turn: Some(at(100)), ..Hold::default() };
    assert!(s.due(at(90), hold, |_| Duration::ZERO).is_some());
}

#[test]
fn a_flood_yields_to_everybody_else_whatever_it_asks_for_and_is_not_starved() {
    let had = [MORE * 7.0, 0.2];
    for flood in [Kind::Speech, Kind::Answer, Kind::Embed, Kind::Question] {
        for calm in [Kind::Speech, Kind::Answer, Kind::Embed, Kind::Question, Kind::Partial, Kind::Ahead] {
            let mut s = Scheduler::default();
            s.add((flood, 1), 0, at(0));
            s.add((calm, 2), 1, at(5));
            assert_eq!(s.among(at(5), &had), Some((calm, 2)), "{flood:?} before {calm:?}");
            assert_eq!(s.among(at(5), &had), Some((flood, 1)));
        }
    }
    let (mut s, mut steps) = (Scheduler::default(), [0, 0]);
    s.add((Kind::Answer, 0), 0, at(0));
    s.add((Kind::Answer, 1), 1, at(0));
    for i in 1..=1_000 {
        let (kind, id) = s.among(at(i * 25), &had).unwrap();
        steps[id as usize] += 1;
        s.add((kind, id), id as usize, at(i * 25));
    }
    assert!(steps[0] > 20 && steps[1] > 900, "{steps:?}");
}

#[test]
fn among_those_who_had_about_as_much_the_more_urgent_work_goes_first() {
    let had = [MORE * 0.9, 0.0, MORE + GUESS * 0.9];
    let mut s = Scheduler::default();
    s.add((Kind::Answer, 1), 1, at(0));
    s.add((Kind::Speech, 0), 0, at(0));
    assert_eq!(s.among(at(0), &had), Some((Kind::Speech, 0)));
    // A guess goes before an answer of nobody but a flood.
    let mut s = Scheduler::default();
    s.add((Kind::Partial, 1), 1, at(0));
    s.add((Kind::Answer, 2), 2, at(0));
    assert_eq!(s.among(at(0), &had), Some((Kind::Answer, 2)));
    s.add((Kind::Answer, 2), 2, at(0));
    assert_eq!(s.among(at(0), &[0.0, 0.0, MORE + GUESS * 1.1]), Some((Kind::Partial, 1)));
}

#[test]
fn of_one_kind_a_calm_session_is_next_however_many_a_flood_has_waiting() {
    let mut s = Scheduler::default();
    for id in 0..8 {
        s.add((Kind::Speech, id), 0, at(0));
        s.add((Kind::Background, id), 0, at(0));
    }
    s.add((Kind::Speech, 9), 1, at(1));
    s.add((Kind::Background, 9), 1, at(1));
    let had = [MORE * 3.0, 0.0];
    assert_eq!(s.among(at(1), &had), Some((Kind::Speech, 9)));
    while s.among(at(1), &had).is_some_and(|(kind, _)| kind == Kind::Speech) {}
    assert!(s.queues[Kind::Background as usize].iter().all(|e| e.seat == 0), "the calm one's look was the first");
}

#[test]
fn an_answer_ahead_of_its_reader_lets_others_pass_and_goes_before_the_background() {
    let early = |task: Task, _| Weight { early: task == (Kind::Answer, 1), ..Weight::default() };
    let mut s = Scheduler::default();
    for (kind, id) in [(Kind::Answer, 1), (Kind::Answer, 2), (Kind::Partial, 3), (Kind::Background, 4)] {
        s.add((kind, id), id as usize, at(0));
    }
    let order: Vec<Task> = std::iter::from_fn(|| s.next(at(0), Hold::default(), early)).collect();
    assert_eq!(order, [(Kind::Answer, 2), (Kind::Partial, 3), (Kind::Answer, 1), (Kind::Background, 4)]);
}

#[test]
fn what_takes_long_lets_pass_what_does_not_from_the_first_moment_on() {
    let left = |task: Task| if task == (Kind::Speech, 0) { 2 * LONG } else { LONG / 2 };
    let weigh = |task: Task, _| Weight { left: left(task), patient: true, ..Weight::default() };
    let mut s = Scheduler::default();
    s.add((Kind::Speech, 0), 0, at(0));
    let begun = s.next(at(0), Hold::default(), weigh).unwrap();
    s.resume(begun, 0, at(20));
    for (kind, id) in [(Kind::Answer, 1), (Kind::Partial, 2), (Kind::Speech, 3), (Kind::Background, 4)] {
        s.add((kind, id), id as usize, at(20));
    }
    let order: Vec<Task> = std::iter::from_fn(|| s.next(at(20), Hold::default(), weigh)).collect();
    let short = [(Kind::Speech, 3), (Kind::Answer, 1), (Kind::Partial, 2)];
    assert_eq!(order, [&short[..], &[(Kind::Speech, 0), (Kind::Background, 4)]].concat());
}

#[test]
fn where_everything_takes_long_the_more_urgent_goes_first_and_who_waited_long_lets_nobody_pass() {
    let order = |answer: Duration, patient: bool| {
        let left = move |task: Task| if task.0 == Kind::Speech { 3 * LONG } else { answer };
        let weigh = move |task: Task, _| Weight { left: left(task), patient, ..Weight::default() };
        let mut s = Scheduler::default();
        s.add((Kind::Answer, 1), 1, at(0));
        s.add((Kind::Speech, 0), 0, at(0));
        s.next(at(0), Hold::default(), weigh).unwrap().0
    };
    assert_eq!(order(2 * LONG, true), Kind::Speech, "a slow machine");
    assert_eq!(order(LONG, true), Kind::Answer);
    assert_eq!(order(LONG, false), Kind::Speech);
}

#[test]
fn what_takes_long_gets_a_step_every_second_beside_endless_short_work() {
    let left = |task: Task| if task.0 == Kind::Speech { 2 * LONG } else { LONG / 2 };
    let weigh = |task: Task, _| Weight { left: left(task), patient: true, ..Weight::default() };
    let mut s = Scheduler::default();
    s.add((Kind::Speech, 0), 0, at(0));
    s.add((Kind::Answer, 1), 1, at(0));
    let mut steps = 0;
    for i in 1..=400 {
        let task = s.next(at(i * 25), Hold::default(), weigh).unwrap();
        steps += usize::from(task.0 == Kind::Speech);
        s.add(task, task.1 as usize, at(i * 25));
    }
    assert!((8..=10).contains(&steps), "{steps} in ten seconds");
}

#[test]
fn first_words_come_one_after_the_other_and_before_the_rest_of_answers_that_have_one() {
    let weigh = |task: Task, _| Weight { fresh: task.1 == 9, silent: task.1 != 9, ..Weight::default() };
    let mut s = Scheduler::default();
    for id in [9, 1, 2] {
        s.add((Kind::Answer, id), id as usize, at(0));
    }
    let mut order = Vec::new();
    for _ in 0..3 {
        let task = s.next(at(0), Hold::default(), weigh).unwrap();
        order.push(task.1);
        s.resume(task, task.1 as usize, at(0));
    }
    assert_eq!(order, [1, 1, 1], "not in turn");
    s.remove((Kind::Answer, 1));
    s.add((Kind::Partial, 3), 3, at(0));
    let rest: Vec<Task> = std::iter::from_fn(|| s.next(at(0), Hold::default(), weigh)).collect();
    assert_eq!(rest, [(Kind::Answer, 2), (Kind::Partial, 3), (Kind::Answer, 9)]);
}

#[test]
fn a_first_word_that_takes_half_as_long_passes_another_that_has_not_waited_long() {
    let first = |left: [u64; 2], patient: bool| {
        let weigh = move |task: Task, _: usize| {
            let left = Duration::from_millis(left[task.1 as usize]);
            Weight { silent: true, left, patient, ..Weight::default() }
        };
        let mut s = Scheduler::default();
        s.put((Kind::Answer, 0), at(0));
        s.put((Kind::Answer, 1), at(0));
        let begun = s.next(at(0), Hold::default(), |_, _| Weight::default()).unwrap();
        s.resume(begun, 0, at(0));
        s.next(at(0), Hold::default(), weigh).unwrap().1
    };
    assert_eq!((first([180, 45], true), first([180, 100], true)), (1, 0));
    assert_eq!(first([180, 45], false), 0, "it has let others pass for long enough");
}

#[test]
fn a_look_that_has_waited_cuts_into_an_answer_but_not_before_its_first_word() {
    let when = |silent: bool, kind: Kind| {
        let weigh = move |task: Task, _: usize| Weight { silent: silent && task.1 == 2, ..Weight::default() };
        let mut s = Scheduler::default();
        s.add((kind, 1), 1, at(0));
        s.add((Kind::Answer, 2), 2, at(0));
        (0..2_000).step_by(10).find(|now| {
            let task = s.next(at(*now), Hold::default(), weigh).unwrap();
            s.add(task, task.1 as usize, at(*now));
            task.0 == kind
        })
    };
    assert_eq!((when(false, Kind::Background), when(true, Kind::Background)), (Some(400), Some(700)));
    assert_eq!((when(false, Kind::Question), when(true, Kind::Question)), (Some(150), Some(450)));
    assert_eq!((when(false, Kind::Embed), when(true, Kind::Embed)), (Some(60), Some(60)));
}

#[test]
fn a_reading_that_may_be_all_that_was_said_goes_ahead_like_finished_speech() {
    let weigh = |task: Task, _| Weight { ends: task == (Kind::Partial, 2), ..Weight::default() };
    let mut s = Scheduler::default();
    for task in [(Kind::Partial, 1), (Kind::Partial, 2), (Kind::Answer, 3), (Kind::Embed, 4)] {
        s.add(task, task.1 as usize, at(0));
    }
    let hold = Hold { answer: Some(at(0)), within: Some(at(0)), turn: None };
    let order: Vec<Task> = std::iter::from_fn(|| s.next(at(10), hold, weigh)).collect();
    assert_eq!(order, [(Kind::Partial, 2), (Kind::Answer, 3), (Kind::Embed, 4)], "the other one is held back");
}

#[test]
fn a_look_of_others_is_not_kept_waiting_by_a_flood_of_speech() {
    let weigh = |_: Task, seat: usize| Weight { fresh: seat == 0, ..weight([MORE * 4.0, 0.0][seat]) };
    let mut s = Scheduler::default();
    s.add((Kind::Speech, 0), 0, at(0));
    s.add((Kind::Background, 1), 1, at(0));
    assert_eq!(s.next(at(399), Hold::default(), weigh), Some((Kind::Speech, 0)));
    s.add((Kind::Speech, 0), 0, at(399));
    assert_eq!(s.next(at(400), Hold::default(), weigh), Some((Kind::Background, 1)));
}

#[test]
fn who_had_no_more_than_its_part_yields_to_nobody() {
    let mut s = Scheduler::default();
    s.add((Kind::Answer, 1), 0, at(0));
    s.add((Kind::Embed, 2), 1, at(0));
    let part = |_, seat: usize| Weight { had: [3.9, 0.0][seat], ..Weight::default() };
    assert_eq!(s.next(at(0), Hold::default(), part), Some((Kind::Answer, 1)));
}
