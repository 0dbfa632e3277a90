//! Sound on its way to the ear: what of it was heard, and what is left.
//!
//! Pieces are played one behind the other. On a media track the player tells when each begins; over a WebSocket the client is taken to play what
//! it is sent at once, and tells by `conversation.item.truncate` where it stopped.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::MediaTime;
use crate::wire::{At, WordView};

/// A piece of an answer's sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// For the player.
    id: u64,
    pub(crate) at: At,
    /// Where it stands in the item's sound.
    from_ms: u64,
    /// How long it is.
    ms: u64,
    /// Its words, for captions.
    pub(crate) words: Vec<WordView>,
    began: Option<MediaTime>,
}

impl Piece {
    fn end(&self) -> Option<MediaTime> {
        self.began.map(|at| at + Duration::from_millis(self.ms))
    }
}

/// Where an item's sound was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) at: At,
    pub(crate) heard_ms: u64,
}

/// What is being heard and what waits to be.
#[derive(Debug, Default)]
pub(crate) struct Playout {
    /// There is a media track, whose player tells.
    track: bool,
    pieces: VecDeque<Piece>,
    last_id: u64,
    /// A player that stands still does so since then.
    held: Option<MediaTime>,
}

impl Playout {
    pub(crate) fn new(track: bool) -> Self {
        Self { track, ..Self::default() }
    }

    /// From now on there is a track.
    pub(crate) fn on_track(&mut self) {
        self.track = true;
    }

    /// From now on there is none. Nothing may wait to be played.
    pub(crate) fn off_track(&mut self) {
        self.track = false;
    }

    pub(crate) const fn has_track(&self) -> bool {
        self.track
    }

    /// Puts a piece of so many milliseconds, which stands at `from_ms` of the item's sound, behind the others; gives its number for the player.
    pub(crate) fn add(&mut self, at: At, from_ms: u64, ms: u64, words: Vec<WordView>, now: MediaTime) -> u64 {
        self.last_id += 1;
        let began = (!self.track).then(|| self.pieces.back().and_then(Piece::end).map_or(now, |end| end.max(now)));
        self.pieces.push_back(Piece { id: self.last_id, at, from_ms, ms, words, began });
        self.last_id
    }

    /// The player begins with a piece; those before it were heard. `None` for a piece that was thrown away.
    pub(crate) fn begin(&mut self, id: u64, now: MediaTime) -> Option<Piece> {
        let at = self.pieces.iter().position(|p| p.id == id)?;
        self.pieces.drain(..at);
        let piece = self.pieces.front_mut()?;
        piece.began = Some(now);
        Some(piece.clone())
    }

    /// The player has played all it was given up to this piece.
    pub(crate) fn drained(&mut self, id: u64) {
        while self.pieces.front().is_some_and(|p| p.id <= id) {
            self.pieces.pop_front();
        }
    }

    /// The player stands still. A client that plays by itself cannot be told to.
    pub(crate) fn hold(&mut self, now: MediaTime) {
        if self.track {
            self.held = Some(now);
        }
    }

    /// It goes on where it stood.
    pub(crate) fn go_on(&mut self, now: MediaTime) {
        let Some(since) = self.held.take() else { return };
        // Only the newest that began is still being heard.
        if let Some(at) = self.pieces.iter_mut().rev().find_map(|p| p.began.as_mut()) {
            *at = *at + now.since(since.max(*at));
        }
    }

    /// Up to when the player has played.
    fn clock(&self, now: MediaTime) -> MediaTime {
        self.held.map_or(now, |at| at.min(now))
    }

    /// Without a track: what must have been heard by now goes.
    pub(crate) fn pass(&mut self, now: MediaTime) {
        while !self.track && self.pieces.front().and_then(Piece::end).is_some_and(|end| end <= now) {
            self.pieces.pop_front();
        }
    }

    /// Without a track: when the piece now being heard ends.
    pub(crate) fn deadline(&self) -> Option<MediaTime> {
        if self.track { None } else { self.pieces.front().and_then(Piece::end) }
    }

    /// When no more than `ahead` will be left, as far as is known.
    pub(crate) fn due(&self, ahead: Duration) -> Option<MediaTime> {
        // Nobody knows when one that stands still goes on.
        if self.held.is_some() {
            return None;
        }
        let end = match (self.pieces.back().and_then(Piece::end), self.pieces.front()) {
            (Some(end), _) => end,
            (None, Some(front)) => front.began? + Duration::from_millis(self.pieces.iter().map(|p| p.ms).sum()),
            (None, None) => return None,
        };
        Some(end.saturating_sub(ahead))
    }

    /// Whether something is being heard or waits to be.
    pub(crate) fn is_sounding(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Whether something of this response is.
    pub(crate) fn holds(&self, response_id: &str) -> bool {
        self.pieces.iter().any(|p| p.at.response_id == response_id)
    }

    /// Whether something of this item is.
    pub(crate) fn holds_item(&self, item_id: &str) -> bool {
        self.pieces.iter().any(|p| p.at.item_id == item_id)
    }

    /// How much sound is left.
    pub(crate) fn left(&self, now: MediaTime) -> Duration {
        let now = self.clock(now);
        let left = |p: &Piece| match p.end() {
            Some(end) => end.since(now).min(Duration::from_millis(p.ms)),
            None => Duration::from_millis(p.ms),
        };
        self.pieces.iter().map(left).sum()
    }

    /// What is being heard: the item, and how far into its sound.
    pub(crate) fn at(&self, now: MediaTime) -> Option<(&str, u64)> {
        let now = self.clock(now);
        let piece = self.pieces.iter().rfind(|p| p.began.is_some_and(|at| at <= now))?;
        Some((&piece.at.item_id, piece.from_ms + heard_of(piece, now)))
    }

    /// Throws away what is left; says how far each item was heard.
    pub(crate) fn clear(&mut self, now: MediaTime) -> Vec<Cut> {
        let now = self.clock(now);
        self.held = None;
        let mut cuts: Vec<Cut> = Vec::new();
        for piece in std::mem::take(&mut self.pieces) {
            // The first piece that is left of an item says where it stands.
            if cuts.last().is_none_or(|cut| cut.at.item_id != piece.at.item_id) {
                cuts.push(Cut { heard_ms: piece.from_ms + heard_of(&piece, now), at: piece.at });
            }
        }
        cuts
    }
}

fn heard_of(piece: &Piece, now: MediaTime) -> u64 {
    let passed = piece.began.map_or(Duration::ZERO, |at| now.since(at));
    u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).min(piece.ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> MediaTime {
        MediaTime::from_millis(ms)
    }

    fn of(item: &str) -> At {
        At { response_id: format!("resp {item}"), item_id: item.into(), output_index: 0, content_index: 0 }
    }

    fn add(p: &mut Playout, item: &str, from_ms: u64, ms: u64, now: u64) -> u64 {
        p.add(of(item), from_ms, ms, Vec::new(), at(now))
    }

    #[test]
    fn on_a_track_what_was_heard_is_what_the_player_told() {
        let mut p = Playout::new(true);
        let ids = [add(&mut p, "a", 0, 1_000, 0), add(&mut p, "a", 1_000, 500, 10), add(&mut p, "b", 0, 800, 20)];
        assert_eq!((p.left(at(900)), p.at(at(900)), p.deadline()), (Duration::from_millis(2_300), None, None));
        assert_eq!(p.due(Duration::ZERO), None, "nothing has begun");
        p.begin(ids[0], at(900)).expect("there");
        assert_eq!((p.left(at(1_000)), p.at(at(1_000))), (Duration::from_millis(2_200), Some(("a", 100))));
        assert_eq!(p.due(Duration::from_millis(300)), Some(at(2_900)));
        // A gap: the second begins late.
        p.begin(ids[1], at(2_500)).expect("there");
        assert_eq!(p.at(at(2_600)), Some(("a", 1_100)));
        let cuts = p.clear(at(2_700));
        assert_eq!(cuts, [Cut { at: of("a"), heard_ms: 1_200 }, Cut { at: of("b"), heard_ms: 0 }]);
        assert!(!p.is_sounding() && p.begin(ids[2], at(3_000)).is_none());
    }

    #[test]
    fn what_stands_still_is_not_heard_and_goes_on_where_it_stood() {
        let mut p = Playout::new(true);
        let ids = [add(&mut p, "a", 0, 1_000, 0), add(&mut p, "a", 1_000, 500, 0)];
        p.begin(ids[0], at(100)).expect("there");
        p.hold(at(400));
        assert_eq!((p.at(at(900)), p.left(at(900))), (Some(("a", 300)), Duration::from_millis(1_200)));
        assert_eq!(p.due(Duration::ZERO), None, "nobody knows when it goes on");
        p.go_on(at(1_000));
        assert_eq!((p.at(at(1_100)), p.due(Duration::ZERO)), (Some(("a", 400)), Some(at(2_200))));
        p.hold(at(1_100));
        assert_eq!(p.clear(at(1_900)), [Cut { at: of("a"), heard_ms: 400 }], "it was silent since");
        assert_eq!(p.at(at(2_000)), None);
        // A client that plays by itself goes on playing.
        let mut p = Playout::new(false);
        add(&mut p, "a", 0, 1_000, 0);
        p.hold(at(100));
        assert_eq!(p.at(at(600)), Some(("a", 600)));
    }

    #[test]
    fn a_drained_player_has_played_what_it_had_and_nothing_that_came_later() {
        let mut p = Playout::new(true);
        let first = add(&mut p, "a", 0, 100, 0);
        p.begin(first, at(0));
        let second = add(&mut p, "a", 100, 100, 99);
        p.drained(first);
        assert!(p.holds("resp a") && p.left(at(100)) == Duration::from_millis(100));
        p.drained(second);
        assert!(!p.is_sounding() && !p.holds_item("a"));
    }

    #[test]
    fn without_a_track_sound_is_heard_as_it_is_sent_one_piece_behind_the_other() {
        let mut p = Playout::new(false);
        add(&mut p, "a", 0, 1_000, 100);
        add(&mut p, "a", 1_000, 1_000, 200);
        assert_eq!((p.at(at(1_600)), p.left(at(1_600))), (Some(("a", 1_500)), Duration::from_millis(500)));
        p.pass(at(1_600));
        assert_eq!((p.pieces.len(), p.deadline()), (1, Some(at(2_100))));
        p.pass(at(2_100));
        assert!(!p.is_sounding());
        add(&mut p, "a", 2_000, 1_000, 5_000);
        assert_eq!((p.at(at(5_500)), p.due(Duration::from_secs(1))), (Some(("a", 2_500)), Some(at(5_000))));
        assert_eq!(p.clear(at(5_500)), [Cut { at: of("a"), heard_ms: 2_500 }]);
    }
}
