//! The items of a conversation, bounded in number and bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::LookId;
use super::voicing::Said;
use super::window::Window;
use crate::base::MediaTime;
use crate::watch::SceneFacts;
use crate::wire::{ItemRole, ItemView, words};

/// A picture that came in an item: its bytes are not kept, what was seen in it is.
#[derive(Debug, Clone)]
pub(crate) enum Picture {
    /// Perception is looking.
    Pending(LookId),
    /// What was seen.
    Seen(Arc<SceneFacts>),
    /// It could not be looked at.
    Failed,
}

/// An item with what belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) view: ItemView,
    pub(crate) pictures: Vec<Picture>,
    /// Its words are not known yet.
    pub(crate) awaiting_words: bool,
    /// It is in the conversation, but not for the model.
    pub(crate) aside: bool,
    /// A picture of a camera that sends them as items: seen, and let go after a few others.
    pub(crate) frame: bool,
    /// When it came into the conversation.
    pub(crate) at: MediaTime,
    /// The same on the memory's clock, for an item from before a restart: this process's clock does not reach back there.
    pub(crate) said_at: Option<MediaTime>,
    /// When its words are heard, if it was said aloud.
    pub(crate) said: Option<Said>,
}

impl Item {
    pub(crate) fn new(view: ItemView, at: MediaTime) -> Self {
        Self {
            view,
            pictures: Vec::new(),
            awaiting_words: false,
            aside: false,
            frame: false,
            at,
            said_at: None,
            said: None,
        }
    }

    pub(crate) fn is_from(&self, role: ItemRole) -> bool {
        self.view.role == Some(role)
    }

    /// Whether it is a call of a function or what one gave.
    pub(crate) fn is_function(&self) -> bool {
        self.view.call_id.is_some()
    }

    pub(crate) fn words(&self) -> String {
        match (&self.view.content, &self.view.output) {
            (Some(parts), _) => words(parts),
            (None, Some(output)) => output.clone(),
            (None, None) => String::new(),
        }
    }

    pub(crate) fn awaits_picture(&self) -> bool {
        self.pictures.iter().any(|p| matches!(p, Picture::Pending(_)))
    }

    fn bytes(&self) -> usize {
        self.view.bytes()
    }
}

/// Where a new item goes.
pub(crate) enum Place {
    /// At the end.
    End,
    /// At the front.
    Front,
    /// After this one.
    After(String),
}

/// Items in order.
#[derive(Debug)]
pub(crate) struct Items {
    list: VecDeque<Item>,
    max_items: usize,
    max_bytes: usize,
    /// The turns among them that prompts show.
    pub(crate) window: Window,
}

impl Items {
    pub(crate) fn new(max_items: usize, max_bytes: usize) -> Self {
        Self { list: VecDeque::new(), max_items: max_items.max(2), max_bytes, window: Window::default() }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Item> {
        self.list.iter()
    }

    /// Those that the model is shown.
    pub(crate) fn for_the_model(&self) -> impl Iterator<Item = &Item> {
        self.list.iter().filter(|i| !i.aside)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Item> {
        self.list.iter_mut()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Item> {
        self.list.iter().find(|i| i.view.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Item> {
        self.list.iter_mut().find(|i| i.view.id == id)
    }

    pub(crate) fn last_id(&self) -> Option<String> {
        self.list.back().map(|i| i.view.id.clone())
    }

    /// The id of the item before this one.
    pub(crate) fn before(&self, id: &str) -> Option<String> {
        let at = self.list.iter().position(|i| i.view.id == id)?;
        Some(self.list[at.checked_sub(1)?].view.id.clone())
    }

    /// Puts an item in; false when it should go after one that is not there.
    pub(crate) fn insert(&mut self, item: Item, place: &Place) -> bool {
        match place {
            Place::End => self.list.push_back(item),
            Place::Front => self.list.push_front(item),
            Place::After(id) => match self.list.iter().position(|i| &i.view.id == id) {
                Some(at) => self.list.insert(at + 1, item),
                None => return false,
            },
        }
        true
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Item> {
        let at = self.list.iter().position(|i| i.view.id == id)?;
        self.list.remove(at)
    }

    /// Takes out the oldest items until the bounds hold, and says which. The newest item always stays.
    pub(crate) fn trim(&mut self) -> Vec<String> {
        let mut gone = Vec::new();
        let mut bytes: usize = self.list.iter().map(Item::bytes).sum();
        while self.list.len() > 1 && (self.list.len() > self.max_items || bytes > self.max_bytes) {
            if let Some(old) = self.list.pop_front() {
                bytes -= old.bytes();
                gone.push(old.view.id);
            }
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{ItemStatus, PartView};

    fn item(id: &str, text: &str) -> Item {
        let part = PartView::InputText { text: text.to_owned() };
        Item::new(ItemView::message(id, ItemRole::User, ItemStatus::Completed, vec![part]), MediaTime::ZERO)
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many_or_too_long_ones() {
        let mut items = Items::new(3, 10_000);
        for i in 0..5 {
            items.insert(item(&i.to_string(), "x"), &Place::End);
        }
        assert_eq!(items.trim(), ["0", "1"]);
        items.insert(item("long", &"x".repeat(20_000)), &Place::End);
        assert_eq!(items.trim(), ["2", "3", "4"]);
        assert_eq!(items.last_id().as_deref(), Some("long"));
    }

    #[test]
    fn an_item_goes_where_it_was_asked_to() {
        let mut items = Items::new(10, 10_000);
        items.insert(item("a", ""), &Place::End);
        items.insert(item("c", ""), &Place::End);
        assert!(items.insert(item("b", ""), &Place::After("a".into())));
        assert!(items.insert(item("0", ""), &Place::Front));
        assert!(!items.insert(item("z", ""), &Place::After("nobody".into())));
        assert_eq!(items.iter().map(|i| i.view.id.as_str()).collect::<String>(), "0abc");
        assert_eq!(items.before("b").as_deref(), Some("a"));
        assert_eq!(items.before("0"), None);
    }
}
