//! Pictures that come as items without words, one after the other: a camera of a client that knows no other way (LiveKit, Pipecat).
//!
//! The first ones are pictures of the conversation, as is any that comes with words. Once they keep coming they go where the pictures of a video track
//! go: they are watched, remembered and forgotten like these, and only the newest stay items.

use std::time::Duration;

use super::Output;
use super::conversation::Conversation;
use super::items::Item;
use crate::base::MediaTime;
use crate::wire::{ItemRole, PartView, ServerBody};

/// Farther apart they are single pictures: 0.2 a second.
const LONGEST_GAP: Duration = Duration::from_secs(5);
/// Closer together they were sent at once, to be asked about.
const SHORTEST_GAP: Duration = Duration::from_millis(200);
/// Gaps between pictures that make a stream of them.
const GAPS: u32 = 2;
/// Pictures of a stream that stay items.
const KEPT: usize = 4;

/// How pictures without words have been coming.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PictureStream {
    last: Option<MediaTime>,
    gaps: u32,
}

impl PictureStream {
    /// Another one came; true when they are a stream.
    pub(crate) fn came(&mut self, now: MediaTime) -> bool {
        let gap = self.last.map(|last| now.since(last));
        match gap {
            Some(gap) if gap < SHORTEST_GAP => return self.gaps >= GAPS,
            Some(gap) if gap <= LONGEST_GAP => self.gaps += 1,
            _ => self.gaps = 0,
        }
        self.last = Some(now);
        self.gaps >= GAPS
    }
}

impl Conversation {
    /// Has the pictures of an item watched instead of looked at for a question.
    pub(crate) fn watch_instead(&mut self, item: &mut Item, work: &mut Vec<Output>) {
        item.frame = true;
        item.pictures.clear();
        for output in work {
            if let Output::LookAtImage { data, .. } = output {
                *output = Output::Frame { data: data.clone() };
            }
        }
        // The first ones were taken for single pictures: what the camera shows now counts.
        for before in self.items.iter_mut().filter(|i| !i.frame && is_only_pictures(i)) {
            before.frame = true;
            before.pictures.clear();
        }
    }

    /// Lets the oldest pictures of a stream go.
    pub(crate) fn let_old_frames_go(&mut self, out: &mut Vec<Output>) {
        let frames: Vec<String> = self.items.iter().filter(|i| i.frame).map(|i| i.view.id.clone()).collect();
        for item_id in frames.iter().take(frames.len().saturating_sub(KEPT)) {
            self.items.remove(item_id);
            self.send(ServerBody::ItemDeleted { item_id: item_id.clone() }, out);
        }
    }
}

/// Whether an item of the person has pictures and nothing else.
pub(crate) fn is_only_pictures(item: &Item) -> bool {
    let parts = item.view.content.as_deref().unwrap_or_default();
    !parts.is_empty() && item.is_from(ItemRole::User) && parts.iter().all(|p| matches!(p, PartView::InputImage { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_become_a_stream_when_they_keep_coming_and_not_when_sent_at_once_or_seldom() {
        let stream = |times: &[u64]| {
            let mut s = PictureStream::default();
            times.iter().map(|t| s.came(MediaTime::from_millis(*t))).collect::<Vec<_>>()
        };
        assert_eq!(stream(&[0, 1_000, 2_000, 3_000]), [false, false, true, true]);
        assert_eq!(stream(&[0, 3_300, 6_600]), [false, false, true]);
        assert_eq!(stream(&[0, 10, 20, 30]), [false; 4]);
        assert_eq!(stream(&[0, 8_000, 16_000, 24_000]), [false; 4]);
        assert_eq!(stream(&[0, 1_000, 2_000, 20_000]), [false, false, true, false], "it starts anew after a pause");
    }
}
