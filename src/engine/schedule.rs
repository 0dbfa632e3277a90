//! What the device does next: pure logic, no clock, no thread.
//!
//! Speech recognition goes before answers, answers before what a question waits for (its embedding, then a look), that before readings of
//! what is still being said and prefilling ahead of a question that is being asked, those before perception and embedding in the background,
//! and prefilling ahead otherwise comes last. Within answers and within prefilling the sessions take turns; others go first come, first served.
//! Nothing below speech may starve: work that has waited longer than its patience gets one step ahead of its turn.
//!
//! That order holds among sessions that ask for no more than their part. Urgent work *yields* to all other urgent work when its session had
//! more than its part of the device lately (see `fair.rs`) and more than whoever else waits, when it takes so long that others need not wait
//! for its end ([`LONG`]), or when it is the rest of an answer that is ahead of its reader; after [`MOST_YIELDED`] it gets a step all the same.
//! So one session's flood is behind everybody else's questions.
//!
//! Answers of which there is nothing yet go one after the other, each to its first word: two prompts that take turns are both late. One that takes half as long to
//! its first word as another passes it, for a while. The rest of
//! an answer yields while something of it came just now. A reading with which the turn is expected to end goes ahead like finished speech.
//! Nothing in the background cuts in before a first word for [`SPARED`].
//! Prefilling ahead of a session that had no more than its part passes, after [`WARM_WAITS`], work of one that had more.
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

    /// At which rank it pulls the brake; `over`: for a session that had more than its part of the device.
    pub(super) const fn pulls(self, over: bool) -> u8 {
        if over { self as u8 + KINDS as u8 } else { self as u8 }
    }

    /// The ranks of all that is more urgent, of sessions that had no more than their part.
    pub(super) const fn before_within(self) -> u16 {
        (1 << self as u16) - 1
    }

    /// The ranks of all that is more urgent.
    pub(super) const fn before(self) -> u16 {
        self.before_within() | self.before_within() << KINDS
    }

    /// Whether somebody waits for it.
    pub(super) const fn is_urgent(self) -> bool {
        !matches!(self, Self::Background | Self::Warm)
    }

    /// Whether it is done for a question that is not there yet.
    const fn is_guess(self) -> bool {
        matches!(self, Self::Partial | Self::Ahead)
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
    /// The same among answers of sessions that had no more than their part.
    pub(super) within: Option<MediaTime>,
    /// When a turn is expected to end.
    pub(super) turn: Option<MediaTime>,
}

impl Hold {
    /// When the device must be free of this kind of work; `over`: of a session that had more than its part.
    fn of(&self, kind: Kind, over: bool) -> Option<MediaTime> {
        match kind {
            Kind::Warm if !over => self.within.into_iter().chain(self.turn).min(),
            Kind::Background | Kind::Warm => self.answer.into_iter().chain(self.turn).min(),
            // They are for the turn that is expected.
            Kind::Partial | Kind::Ahead => self.answer,
            Kind::Speech | Kind::Answer | Kind::Embed | Kind::Question => None,
        }
    }
}

/// A piece of work that wants the device: its kind and a number that the worker understands.
pub(super) type Task = (Kind, u64);

/// Seconds of the device by which a session that had more than its part may be ahead of another before its urgent work yields.
const MORE: f64 = 0.5;
/// The same for those who only guess what will be asked, on top.
const GUESS: f64 = 0.5;
/// Work that takes so long to its end yields to all that takes half of it at most, whoever it is of.
const LONG: Duration = Duration::from_millis(100);
/// How much longer what can wait does so while a first word is waited for: about as long as one takes.
const SPARED: Duration = Duration::from_millis(300);
/// How long prefilling ahead of a session that had no more than its part waits beside those who had more: the next first word is as late as that is.
const WARM_WAITS: Duration = Duration::from_millis(50);
/// How long work yields before it gets one step: longer than a first word takes.
const MOST_YIELDED: Duration = Duration::from_secs(1);

/// How one piece of work stands to others.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weight {
    /// What its next step will hardly take longer than; nothing where nothing is known.
    pub(super) takes: Duration,
    /// Seconds that its session had of the device lately, this piece to its end included.
    pub(super) had: f64,
    /// That is more than its part.
    pub(super) over: bool,
    /// What it will hardly take longer than to its end, or up to the first word; nothing where nothing is known.
    pub(super) left: Duration,
    /// It still lets pass what is short: it has not waited for so long yet.
    pub(super) patient: bool,
    /// More of the answer is there than anybody can have read.
    pub(super) early: bool,
    /// Some of the answer came just now.
    pub(super) fresh: bool,
    /// It waits for its first word.
    pub(super) silent: bool,
    /// The turn is expected to end with what is read.
    pub(super) ends: bool,
}

/// A piece of work in its queue.
#[derive(Debug, Clone, Copy)]
struct Entry {
    id: u64,
    /// The seat of its session.
    seat: usize,
    /// It was begun and goes on.
    begun: bool,
}

/// The piece of one kind whose turn it would be, among those that yield or among the others.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    kind: Kind,
    /// The kind as which it is ranked.
    as_kind: Kind,
    at: usize,
    id: u64,
    takes: Duration,
    stand: Stand,
    /// Of an answer nothing is there yet, and it does not ask for more than its part.
    first_word: bool,
    /// Its session had more than its part.
    over: bool,
}

impl Weight {
    fn stand(&self, least: Least) -> Stand {
        let long = self.patient && self.left >= LONG && self.left >= 2 * least.left;
        match self.is_more(least) {
            true => Stand::More,
            false if long || self.fresh => Stand::Aside,
            false => Stand::Fair,
        }
    }

    /// Of two that wait for their first word, it lets one pass that takes half as long at most.
    fn lets_pass(&self, other: &Self) -> bool {
        self.silent && other.silent && self.patient && other.left * 2 < self.left
    }

    /// It is more than its session's part, or than anybody can have read.
    pub(super) fn is_more(&self, least: Least) -> bool {
        self.early || self.over && self.had > least.had + MORE
    }
}

/// How a piece of work stands to the others of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Fair,
    /// It lets others pass for a while.
    Aside,
    /// Its session had more than its part.
    More,
}

/// What others are compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Least {
    /// What the session would have had that had least of those with urgent work.
    had: f64,
    /// What is left of the shortest urgent work that is not more than its session's part.
    left: Duration,
}

/// Who goes before whom, first to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    Urgent,
    Aside,
    Yielding,
    Other,
}

impl Candidate {
    fn order(&self) -> Order {
        match self.stand {
            _ if !self.kind.is_urgent() => Order::Other,
            Stand::Fair => Order::Urgent,
            Stand::Aside => Order::Aside,
            Stand::More => Order::Yielding,
        }
    }

    fn gives_way(&self) -> bool {
        matches!(self.order(), Order::Aside | Order::Yielding)
    }

    /// Least first.
    fn rank(&self) -> (Order, Kind) {
        (self.order(), self.as_kind)
    }

    /// Whether it may be overtaken by work whose kind has waited for so long, and how long that had to wait.
    fn lets_pass(&self, other: &Self, waited: Duration) -> Option<Duration> {
        let kind = other.kind;
        if kind == Kind::Warm && self.over && !other.over && self.kind.is_urgent() {
            return Some(WARM_WAITS).filter(|patience| waited >= *patience);
        }
        let floods = self.order() > Order::Urgent && kind == Kind::Background;
        let passable = floods || self.as_kind >= kind.overtakes();
        // An embedding is short, and somebody's first word waits for it.
        let spared = if self.first_word && kind != Kind::Embed { SPARED } else { Duration::ZERO };
        let patience = kind.patience().filter(|_| kind > self.as_kind && passable)?;
        (waited >= patience + spared).then_some(patience)
    }
}

/// The queues.
#[derive(Debug, Default)]
pub(super) struct Scheduler {
    queues: [VecDeque<Entry>; KINDS],
    /// Since when each kind has had work and got no step.
    waiting: [Option<MediaTime>; KINDS],
    /// Since when work has yielded.
    yielding: Option<MediaTime>,
    /// What was held back last, of each kind.
    held: [Option<u64>; KINDS],
    /// Kinds of which something was held back and not told yet.
    deferred: Vec<Kind>,
}

impl Scheduler {
    /// Adds work of the session at `seat` at the end of its queue. Work that is already there stays where it is.
    pub(super) fn add(&mut self, (kind, id): Task, seat: usize, now: MediaTime) {
        let queue = &mut self.queues[kind as usize];
        if !queue.iter().any(|e| e.id == id) {
            queue.push_back(Entry { id, seat, begun: false });
            self.waiting[kind as usize].get_or_insert(now);
        }
    }

    /// Puts work that was begun back at the front, so that it is finished before other work of its kind.
    pub(super) fn resume(&mut self, (kind, id): Task, seat: usize, now: MediaTime) {
        self.queues[kind as usize].push_front(Entry { id, seat, begun: true });
        self.waiting[kind as usize].get_or_insert(now);
    }

    /// Removes work; nothing happens when it is not there.
    pub(super) fn remove(&mut self, (kind, id): Task) {
        let queue = &mut self.queues[kind as usize];
        queue.retain(|e| e.id != id);
        if queue.is_empty() {
            self.waiting[kind as usize] = None;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queues.iter().all(VecDeque::is_empty)
    }

    /// Takes the next piece of work that may begin now; `weigh` is told the seat too. `None` while there is work: it is held back, until a
    /// moment of `hold` has passed.
    pub(super) fn next(&mut self, now: MediaTime, hold: Hold, weigh: impl Fn(Task, usize) -> Weight) -> Option<Task> {
        let mut ready = self.candidates(weigh);
        let chosen = loop {
            let chosen = self.choose(now, &ready)?;
            let (kind, slot) = (chosen.kind, chosen.kind as usize);
            let waited = self.waiting[slot].map_or(Duration::ZERO, |since| now.since(since));
            let in_time = hold.of(chosen.as_kind, chosen.over).is_none_or(|by| now + chosen.takes <= by);
            if in_time || waited >= MOST_HELD {
                break chosen;
            }
            ready.retain(|c| c.kind != kind);
            if self.held[slot].replace(chosen.id) != Some(chosen.id) {
                self.deferred.push(kind);
            }
        };
        self.held[chosen.kind as usize] = None;
        if chosen.gives_way() || !ready.iter().any(Candidate::gives_way) {
            self.yielding = None;
        } else {
            self.yielding.get_or_insert(now);
        }
        Some(self.take(chosen, now))
    }

    fn take(&mut self, chosen: Candidate, now: MediaTime) -> Task {
        let queue = &mut self.queues[chosen.kind as usize];
        queue.remove(chosen.at);
        self.waiting[chosen.kind as usize] = (!queue.is_empty()).then_some(now);
        (chosen.kind, chosen.id)
    }

    /// What all urgent work is compared with.
    pub(super) fn least(&self, weigh: impl Fn(Task, usize) -> Weight) -> Least {
        let urgent = Kind::ALL.into_iter().filter(|k| k.is_urgent());
        let all = urgent.flat_map(|k| self.queues[k as usize].iter().map(move |e| (k, e)));
        let weights: Vec<_> = all.map(|(k, e)| (k, weigh((k, e.id), e.seat))).collect();
        let had = weights.iter().map(|(k, w)| w.had + if k.is_guess() { GUESS } else { 0.0 });
        let least = Least { had: had.fold(f64::INFINITY, f64::min), left: Duration::MAX };
        let fair = weights.iter().filter(|(_, w)| !w.fresh && !w.is_more(least));
        Least { left: fair.map(|(_, w)| w.left).min().unwrap_or(Duration::ZERO), ..least }
    }

    /// Of each kind, whose turn it would be, among those who need not yield and among those who do: what was begun, then who came first.
    fn candidates(&self, weigh: impl Fn(Task, usize) -> Weight) -> Vec<Candidate> {
        let urgent = self.least(&weigh);
        let of_kind = |kind: Kind| {
            let queue = &self.queues[kind as usize];
            let weights: Vec<Weight> = queue.iter().map(|e| weigh((kind, e.id), e.seat)).collect();
            let own = weights.iter().map(|w| w.had).fold(f64::INFINITY, f64::min);
            let least = if kind.is_urgent() { urgent } else { Least { had: own, left: Duration::MAX } };
            [Stand::Fair, Stand::Aside, Stand::More].map(|stand| {
                let all = || queue.iter().zip(&weights).enumerate().filter(|(_, (_, w))| w.stand(least) == stand);
                let (at, (e, w)) = all().min_by_key(|(_, (e, w))| (!w.ends, !e.begun))?;
                let shorter =
                    all().filter(|(_, (_, other))| w.lets_pass(other)).min_by_key(|(_, (_, other))| other.left);
                let (at, (e, w)) = shorter.unwrap_or((at, (e, w)));
                let (as_kind, first_word) = (if w.ends { Kind::Speech } else { kind }, w.silent && !w.is_more(least));
                Some(Candidate { kind, as_kind, at, id: e.id, takes: w.takes, stand, first_word, over: w.over })
            })
        };
        Kind::ALL.into_iter().flat_map(of_kind).flatten().collect()
    }

    /// Whose turn it is.
    fn choose(&self, now: MediaTime, ready: &[Candidate]) -> Option<Candidate> {
        let first = ready.iter().min_by_key(|c| c.rank())?;
        if first.order() == Order::Urgent && self.yielding.is_some_and(|since| now.since(since) >= MOST_YIELDED) {
            let yielding = ready.iter().filter(|c| c.gives_way()).min_by_key(|c| c.as_kind);
            return Some(*yielding.unwrap_or(first));
        }
        let impatient = |c: &Candidate| {
            let waited = now.since(self.waiting[c.kind as usize]?);
            first.lets_pass(c, waited).map(|patience| (waited.saturating_sub(patience), c.stand != Stand::More))
        };
        let overtaking = ready.iter().filter_map(|c| Some((impatient(c)?, c))).max_by_key(|(over, _)| *over);
        Some(*overtaking.map_or(first, |(_, c)| c))
    }

    /// Kinds of which something was held back since the last call, once for each piece.
    pub(super) fn take_deferred(&mut self) -> Vec<Kind> {
        std::mem::take(&mut self.deferred)
    }
}

#[cfg(test)]
mod tests;
