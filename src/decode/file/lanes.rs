//! The two bounded lanes between GStreamer's threads and the consumer of a file.
//!
//! The producer waits while its lane is full; the consumer takes the earlier head, and waits for a lane that is empty. In a badly
//! interleaved file the empty lane can wait for the full one to be read: after [`PATIENCE`] order gives way, not progress.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::{Pcm, RgbFrame};

use super::FileItem;

/// Frames held: about 3.5 MiB each at most (1280 × 960).
const MAX_FRAMES: usize = 8;
/// Buffers of 40 ms held: 10 s.
const MAX_SOUND: usize = 250;
/// How long a full lane waits for an empty one.
const PATIENCE: Duration = Duration::from_millis(250);
/// After a failure the other stream may still have something to give: for so long it is waited for.
const GRACE: Duration = Duration::from_millis(600);
/// How often an opening file is looked at while nothing happens.
const LOOK: Duration = Duration::from_millis(200);
/// No file on a local disk is silent for so long.
const STALL: Duration = Duration::from_secs(20);

/// Why a file gives nothing more.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    NotMedia(String),
    Damaged(String),
    TooLarge { what: &'static str, got: u64, allowed: u64 },
    Stalled(Duration),
}

#[derive(Default)]
struct State {
    frames: VecDeque<RgbFrame>,
    sound: VecDeque<Pcm>,
    /// Linked to a stream of the file, and not at its end.
    video: Option<Open>,
    audio: Option<Open>,
    streams_known: bool,
    failure: Option<Failure>,
    /// Streams that nothing here decodes, by media type.
    undecodable: Vec<String>,
    closed: bool,
    /// One lane is full while the other stays empty, for longer than [`PATIENCE`]; until both have something again.
    impatient: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Yes,
    Ended,
}

/// Both lanes.
#[derive(Default)]
pub(super) struct Lanes {
    state: Mutex<State>,
    changed: Condvar,
}

impl State {
    fn waits_for(&self, lane: Option<Open>) -> bool {
        lane == Some(Open::Yes) && self.failure.is_none()
    }

    fn full(&self) -> bool {
        self.frames.len() >= MAX_FRAMES || self.sound.len() >= MAX_SOUND
    }

    /// The next item; `None`: wait.
    fn pick(&mut self) -> Option<FileItem> {
        self.impatient &= self.frames.is_empty() || self.sound.is_empty();
        let video_first = match (self.frames.front(), self.sound.front()) {
            (Some(f), Some(p)) => f.capture <= p.start,
            (Some(_), None) if self.waits_for(self.audio) && !(self.impatient && self.full()) => return None,
            (None, Some(_)) if self.waits_for(self.video) && !(self.impatient && self.full()) => return None,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if video_first {
            self.frames.pop_front().map(FileItem::Frame)
        } else {
            self.sound.pop_front().map(FileItem::Pcm)
        }
    }

    fn streams_open(&self) -> bool {
        self.video == Some(Open::Yes) || self.audio == Some(Open::Yes)
    }

    fn over(&self) -> bool {
        !self.streams_open() && self.frames.is_empty() && self.sound.is_empty()
    }

    /// Every linked stream has shown something, or ended.
    fn settled(&self) -> bool {
        self.streams_known
            && (!self.waits_for(self.video) || !self.frames.is_empty() || self.sound.len() >= MAX_SOUND)
            && (!self.waits_for(self.audio) || !self.sound.is_empty() || self.frames.len() >= MAX_FRAMES)
    }
}

impl Lanes {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, f: impl FnOnce(&mut State)) {
        f(&mut self.lock());
        self.changed.notify_all();
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> Result<MutexGuard<'a, State>, Failure> {
        let (state, timeout) = self.changed.wait_timeout(state, STALL).unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() { Err(Failure::Stalled(STALL)) } else { Ok(state) }
    }

    /// Waits for room and stores a frame; false when the reader is gone.
    pub(super) fn put_frame(&self, frame: RgbFrame) -> bool {
        self.put(|s| s.frames.len() < MAX_FRAMES, |s| s.frames.push_back(frame))
    }

    /// Waits for room and stores sound; false when the reader is gone. One decoder buffer may overshoot the bound.
    pub(super) fn put_sound(&self, sound: Vec<Pcm>) -> bool {
        self.put(|s| s.sound.len() < MAX_SOUND, |s| s.sound.extend(sound))
    }

    fn put(&self, room: impl Fn(&State) -> bool, store: impl FnOnce(&mut State)) -> bool {
        let mut state = self.lock();
        // Without a time limit on purpose: a slow consumer is its own affair, and `close` ends the wait.
        while !state.closed && !room(&state) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let open = !state.closed;
        if open {
            store(&mut state);
        }
        drop(state);
        self.changed.notify_all();
        open
    }

    /// The next item, `None` at the end.
    pub(super) fn next(&self) -> Result<Option<FileItem>, Failure> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.pick() {
                drop(state);
                self.changed.notify_all();
                return Ok(Some(item));
            }
            if state.over() {
                return state.failure.take().map_or(Ok(None), Err);
            }
            if state.failure.is_some() {
                let (after, timeout) = self.changed.wait_timeout(state, GRACE).unwrap_or_else(PoisonError::into_inner);
                state = after;
                if timeout.timed_out() {
                    state.video = state.video.map(|_| Open::Ended);
                    state.audio = state.audio.map(|_| Open::Ended);
                }
            } else if state.full() && !state.impatient {
                let wait = self.changed.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
                state = wait.0;
                state.impatient = wait.1.timed_out();
            } else {
                state = self.wait(state)?;
            }
        }
    }

    /// Returns once every stream is known and has given its first item. A failure counts only if nothing at all came before it.
    /// `gave_up`: asked while nothing happens, whether anything still can.
    pub(super) fn wait_for_streams(&self, gave_up: &dyn Fn() -> bool) -> Result<(), Failure> {
        let (mut state, mut quiet) = (self.lock(), Duration::ZERO);
        loop {
            let empty = state.frames.is_empty() && state.sound.is_empty();
            match &state.failure {
                Some(failure) if empty && (!state.streams_open() || quiet >= GRACE) => return Err(failure.clone()),
                Some(_) if !empty => return Ok(()),
                Some(_) => {}
                None if state.settled() && state.video.is_none() && state.audio.is_none() => {
                    let found = state.undecodable.join(", ");
                    let why = if found.is_empty() {
                        "it has no streams".to_owned()
                    } else {
                        format!("no decoder for {found}")
                    };
                    return Err(Failure::NotMedia(why));
                }
                None if state.settled() && empty => {
                    return Err(Failure::Damaged("its streams hold nothing".to_owned()));
                }
                None if state.settled() => return Ok(()),
                None if quiet >= STALL => return Err(Failure::Stalled(STALL)),
                None => {}
            }
            let (woken, timeout) = self.changed.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner);
            quiet = if timeout.timed_out() { quiet + LOOK } else { Duration::ZERO };
            drop(woken);
            // Asked without the lock: it looks into elements whose threads may be waiting for it.
            let over = timeout.timed_out() && gave_up();
            state = self.lock();
            if over && state.failure.is_none() {
                return Err(Failure::Damaged("its container cannot be read".to_owned()));
            }
        }
    }

    /// Notes the first failure.
    pub(super) fn fail(&self, failure: Failure) {
        self.change(|s| {
            s.failure.get_or_insert(failure);
        });
    }

    pub(super) fn failed(&self) -> bool {
        self.lock().failure.is_some()
    }

    /// The media type of a stream of `kind` that nothing here decodes.
    pub(super) fn undecodable(&self, kind: &str) -> Option<String> {
        self.lock().undecodable.iter().find(|c| c.starts_with(kind)).cloned()
    }

    pub(super) fn add_undecodable(&self, media_type: String) {
        self.change(|s| s.undecodable.push(media_type));
    }

    pub(super) fn begin_video(&self) {
        self.change(|s| s.video = Some(Open::Yes));
    }

    pub(super) fn begin_audio(&self) {
        self.change(|s| s.audio = Some(Open::Yes));
    }

    pub(super) fn end_video(&self) {
        self.change(|s| s.video = s.video.map(|_| Open::Ended));
    }

    pub(super) fn end_audio(&self) {
        self.change(|s| s.audio = s.audio.map(|_| Open::Ended));
    }

    pub(super) fn streams_known(&self) {
        self.change(|s| s.streams_known = true);
    }

    pub(super) fn close(&self) {
        self.change(|s| s.closed = true);
    }

    pub(super) fn has_video(&self) -> bool {
        self.lock().video.is_some()
    }

    pub(super) fn has_audio(&self) -> bool {
        self.lock().audio.is_some()
    }
}
