//! What the device does next: pure logic, no clock, no thread.
//!
//! Speech recognition goes before answers, answers before what a question waits for (its embedding, then a look), that before readings of
//! what is still being said and prefilling ahead of a question that is being asked, those before perception and embedding in the background,
//! and prefilling ahead otherwise comes last. Within answers and within prefilling the sessions take turns; others go first come, first served.
//! Nothing below speech may starve: work that has waited longer than its patience gets one step ahead of its turn.
//!
//! A step is not broken off once it runs. So work that can wait is not begun when, by what such work has cost lately, it would still run when
//! something more important is due ([`Hold`]); for [`MOST_HELD`] at most, since what is known of the present must not grow old either.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::MediaTime;

/// How many kinds of work there are.
const KINDS: usize = 8;

/// Kinds of work, most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Speech recognition of a finished utterance.
    Speech,
    /// A chunk of prefill or one token of an answer.
    Answer,
    /// Embedding of a question: short, and its answer cannot begin before, so it never stands behind a look of several steps.
    Embed,
    /// Perception that a question waits for.
    Question,
    /// Speech recognition of an utterance that goes on. Its id is the session's slot: there is one at most, the newest.
    Partial,
    /// Prefill ahead of a question that is just being asked.
    Ahead,
    /// Perception and embedding in the background.
    Background,
    /// Prefill ahead of a question.
    Warm,
}

impl Kind {
    pub(super) const ALL: [Self; KINDS] = [
        Self::Speech,
        Self::Answer,
        Self::Embed,
        Self::Question,
        Self::Partial,
        Self::Ahead,
        Self::Background,
        Self::Warm,
    ];

    /// The label of metrics.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Speech => "speech",
            Self::Answer => "answer",
            Self::Embed => "embed",
            Self::Question => "question",
            Self::Partial => "partial",
            Self::Ahead => "ahead",
            Self::Background => "background",
            Self::Warm => "warm",
        }
    }

    /// Whether somebody waits for it.
    pub(super) const fn is_urgent(self) -> bool {
        !matches!(self, Self::Background | Self::Warm)
    }

    /// How long work of this kind waits before it goes ahead once. None: never ahead.
    const fn patience(self) -> Option<Duration> {
        match self {
            Self::Speech | Self::Answer => None,
            // Two tokens of somebody else's answer.
            Self::Embed => Some(Duration::from_millis(60)),
            Self::Question => Some(Duration::from_millis(150)),
            // Beside somebody else's answer two readings a second are enough; where one comes too late the turn ends by its silence.
            Self::Partial => Some(Duration::from_millis(400)),
            // At 2 frames per second and three experts, this keeps facts about a second fresh while an answer streams.
            Self::Background => Some(Duration::from_millis(400)),
            Self::Ahead => Some(Duration::from_millis(400)),
            Self::Warm => Some(Duration::from_millis(800)),
        }
    }

    /// The most urgent kind that impatient work of this kind may overtake.
    const fn overtakes(self) -> Self {
        match self {
            // Guessing ahead must not slow down an answer that is being waited for.
            Self::Warm | Self::Ahead => Self::Question,
            _ => Self::Answer,
        }
    }
}

/// How long work is held back for something that is due. A second is how old facts become beside an answer anyway.
const MOST_HELD: Duration = Duration::from_secs(1);

/// Moments at which the device is to be free.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hold {
    /// The latest at which the next step of an answer can begin, if its first word is to be in time. One that has passed still holds: what is
    /// late is not to become later.
    pub(super) answer: Option<MediaTime>,
    /// When a turn is expected to end.
    pub(super) turn: Option<MediaTime>,
}

impl Hold {
    /// When the device must be free of this kind of work.
    fn of(&self, kind: Kind) -> Option<MediaTime> {
        match kind {
            Kind::Background | Kind::Warm => self.answer.into_iter().chain(self.turn).min(),
            // They are for the turn that is expected.
            Kind::Partial | Kind::Ahead => self.answer,
            Kind::Speech | Kind::Answer | Kind::Embed | Kind::Question => None,
        }
    }
}

/// A piece of work that wants the device: its kind and a number that the worker understands.
pub(super) type Task = (Kind, u64);

/// The queues.
#[derive(Debug, Default)]
pub(super) struct Scheduler {
    queues: [VecDeque<u64>; KINDS],
    /// Since when each kind has had work and got no step.
    waiting: [Option<MediaTime>; KINDS],
    /// What was held back last, of each kind.
    held: [Option<u64>; KINDS],
    /// Kinds of which something was held back and not told yet.
    deferred: Vec<Kind>,
}

impl Scheduler {
    /// Adds work at the end of its queue. Work that is already there stays where it is.
    pub(super) fn add(&mut self, (kind, id): Task, now: MediaTime) {
        let queue = &mut self.queues[kind as usize];
        if !queue.contains(&id) {
            queue.push_back(id);
            self.waiting[kind as usize].get_or_insert(now);
        }
    }

    /// Puts work that was begun back at the front, so that it is finished before other work of its kind.
    pub(super) fn resume(&mut self, (kind, id): Task, now: MediaTime) {
        self.queues[kind as usize].push_front(id);
        self.waiting[kind as usize].get_or_insert(now);
    }

    /// Removes work; nothing happens when it is not there.
    pub(super) fn remove(&mut self, (kind, id): Task) {
        let queue = &mut self.queues[kind as usize];
        queue.retain(|x| *x != id);
        if queue.is_empty() {
            self.waiting[kind as usize] = None;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queues.iter().all(VecDeque::is_empty)
    }

    /// Takes the next piece of work that may begin now; `takes` says how long a piece will hardly take longer than. `None` while there is
    /// work: it is held back, until a moment of `hold` has passed.
    pub(super) fn next(&mut self, now: MediaTime, hold: Hold, takes: impl Fn(Task) -> Duration) -> Option<Task> {
        let mut held = [false; KINDS];
        let kind = loop {
            let kind = self.choose(now, held)?;
            let head = *self.queues[kind as usize].front()?;
            let waited = self.waiting[kind as usize].map_or(Duration::ZERO, |since| now.since(since));
            let in_time = hold.of(kind).is_none_or(|by| now + takes((kind, head)) <= by);
            if in_time || waited >= MOST_HELD {
                break kind;
            }
            held[kind as usize] = true;
            if self.held[kind as usize].replace(head) != Some(head) {
                self.deferred.push(kind);
            }
        };
        let queue = &mut self.queues[kind as usize];
        let id = queue.pop_front()?;
        self.held[kind as usize] = None;
        self.waiting[kind as usize] = (!queue.is_empty()).then_some(now);
        Some((kind, id))
    }

    /// Whose turn it is, those apart that are held back.
    fn choose(&self, now: MediaTime, held: [bool; KINDS]) -> Option<Kind> {
        let ready = |k: &Kind| !self.queues[*k as usize].is_empty() && !held[*k as usize];
        let first = Kind::ALL.into_iter().find(ready)?;
        let impatient = |k: Kind| {
            let since = self.waiting[k as usize].filter(|_| ready(&k))?;
            let over = now.since(since).checked_sub(k.patience()?)?;
            (first >= k.overtakes() && k > first).then_some((over, k))
        };
        Some(Kind::ALL.into_iter().filter_map(impatient).max_by_key(|(over, _)| *over).map_or(first, |(_, k)| k))
    }

    /// Kinds of which something was held back since the last call, once for each piece.
    pub(super) fn take_deferred(&mut self) -> Vec<Kind> {
        std::mem::take(&mut self.deferred)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Hold, KINDS, Kind, Scheduler, Task};
    use crate::base::MediaTime;

    impl Scheduler {
        /// Nothing is due.
        fn free(&mut self, now: MediaTime) -> Option<Task> {
            self.next(now, Hold::default(), |_| Duration::ZERO)
        }
    }

    fn at(ms: u64) -> MediaTime {
        MediaTime::from_millis(ms)
    }

    #[test]
    fn the_more_urgent_kind_goes_first() {
        let mut s = Scheduler::default();
        for kind in Kind::ALL.into_iter().rev() {
            s.add((kind, 1), at(0));
        }
        let order: Vec<Kind> = std::iter::from_fn(|| s.free(at(0))).map(|t| t.0).collect();
        assert_eq!(order, Kind::ALL);
        assert!(s.is_empty());
    }

    #[test]
    fn answers_take_turns_and_begun_perception_is_finished_first() {
        let mut s = Scheduler::default();
        s.add((Kind::Answer, 1), at(0));
        s.add((Kind::Answer, 2), at(0));
        let mut order = Vec::new();
        for _ in 0..4 {
            let task = s.free(at(0)).unwrap();
            order.push(task.1);
            s.add(task, at(0));
        }
        assert_eq!(order, [1, 2, 1, 2]);
        let mut s = Scheduler::default();
        s.add((Kind::Background, 7), at(0));
        s.add((Kind::Background, 8), at(0));
        let task = s.free(at(0)).unwrap();
        s.resume(task, at(0));
        assert_eq!(s.free(at(0)), Some((Kind::Background, 7)));
    }

    /// Runs one answer that never ends beside endless perception, a step taking `ms`; returns how many steps each kind got.
    fn share(ms: u64, others: &[Kind]) -> [usize; KINDS] {
        let mut s = Scheduler::default();
        let mut steps = [0; KINDS];
        s.add((Kind::Answer, 1), at(0));
        for kind in others {
            s.add((*kind, 9), at(0));
        }
        for i in 1..=1000 {
            let task = s.free(at(i * ms)).unwrap();
            steps[task.0 as usize] += 1;
            s.add(task, at(i * ms));
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
        s.add((Kind::Question, 1), at(0));
        let begun = s.free(at(0)).unwrap();
        s.resume(begun, at(50));
        s.add((Kind::Embed, 2), at(50));
        s.add((Kind::Answer, 3), at(50));
        assert_eq!(s.free(at(50)), Some((Kind::Answer, 3)));
        s.add((Kind::Answer, 3), at(80));
        assert_eq!(s.free(at(110)), Some((Kind::Embed, 2)));
    }

    #[test]
    fn prefilling_ahead_never_delays_an_answer_but_passes_perception() {
        assert_eq!(share(100, &[Kind::Warm])[Kind::Warm as usize], 0);
        let mut s = Scheduler::default();
        s.add((Kind::Warm, 1), at(0));
        s.add((Kind::Background, 2), at(0));
        assert_eq!(s.free(at(900)), Some((Kind::Warm, 1)));
    }

    #[test]
    fn nothing_overtakes_speech() {
        let mut s = Scheduler::default();
        s.add((Kind::Background, 2), at(0));
        s.add((Kind::Speech, 1), at(5000));
        assert_eq!(s.free(at(5000)), Some((Kind::Speech, 1)));
    }

    #[test]
    fn removed_work_never_comes_and_work_added_twice_comes_once() {
        let mut s = Scheduler::default();
        s.add((Kind::Answer, 1), at(0));
        s.add((Kind::Answer, 1), at(0));
        s.add((Kind::Warm, 2), at(0));
        s.remove((Kind::Warm, 2));
        assert_eq!(s.free(at(0)), Some((Kind::Answer, 1)));
        assert_eq!(s.free(at(0)), None);
    }

    #[test]
    fn a_look_is_not_begun_when_a_turn_is_expected_before_it_would_end() {
        let mut s = Scheduler::default();
        s.add((Kind::Background, 1), at(0));
        let hold = Hold { turn: Some(at(100)), answer: None };
        let takes = |task: Task| Duration::from_millis(if task.0 == Kind::Background { 80 } else { 300 });
        assert_eq!(s.next(at(50), hold, takes), None);
        assert_eq!(s.next(at(60), hold, takes), None);
        assert_eq!(s.take_deferred(), [Kind::Background], "counted once");
        // Reading what is being said is for the turn that is expected.
        s.add((Kind::Partial, 2), at(60));
        assert_eq!(s.next(at(60), hold, takes), Some((Kind::Partial, 2)));
        assert_eq!(s.next(at(10), hold, takes), Some((Kind::Background, 1)), "there was time for it before");
    }

    #[test]
    fn what_can_wait_is_held_back_for_a_first_word_and_nothing_else_is() {
        let kinds = [Kind::Partial, Kind::Ahead, Kind::Background, Kind::Warm];
        let hold = Hold { answer: Some(at(1_000)), turn: None };
        let takes = |_| Duration::from_millis(100);
        for kind in Kind::ALL {
            let mut s = Scheduler::default();
            s.add((kind, 1), at(0));
            assert_eq!(s.next(at(950), hold, takes).is_none(), kinds.contains(&kind), "{kind:?}");
            // A first word that is late already is not made later.
            let mut s = Scheduler::default();
            s.add((kind, 1), at(1_500));
            assert_eq!(s.next(at(2_000), hold, takes).is_none(), kinds.contains(&kind), "{kind:?}");
        }
    }

    #[test]
    fn nothing_is_held_back_for_ever() {
        let mut s = Scheduler::default();
        s.add((Kind::Background, 1), at(0));
        s.add((Kind::Answer, 2), at(0));
        let hold = Hold { answer: Some(at(0)), turn: None };
        let mut looked_at = None;
        for now in (0..3_000).step_by(50) {
            let (kind, id) = s.next(at(now), hold, |_| Duration::from_millis(100)).unwrap();
            if kind == Kind::Background {
                looked_at = Some(now);
                break;
            }
            s.add((kind, id), at(now));
        }
        assert_eq!(looked_at, Some(1_000));
    }

    #[test]
    fn work_of_unknown_cost_is_never_held_back_for_a_turn() {
        let mut s = Scheduler::default();
        s.add((Kind::Background, 1), at(0));
        let hold = Hold { turn: Some(at(100)), answer: None };
        assert!(s.next(at(90), hold, |_| Duration::ZERO).is_some());
    }
}
