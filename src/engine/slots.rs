//! Which session holds which slot. A slot's generation tells a session from the one that held the slot before it.

use crate::base::{ClientId, SessionId};

/// A slot as one session holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SlotKey {
    /// Which slot.
    pub index: usize,
    /// Which of its holders.
    pub generation: u64,
}

/// What happened to a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// It was given back.
    Left(SlotKey),
    /// A session of this client took the slot of this index.
    Taken(usize, ClientId),
}

/// All slots.
#[derive(Debug)]
pub(super) struct SlotTable {
    holders: Vec<Option<SessionId>>,
    generations: Vec<u64>,
    /// Those that are free, the one given back last at the end: a client that comes right back gets its own.
    free: Vec<usize>,
    /// Since the worker last looked.
    changes: Vec<Change>,
}

impl SlotTable {
    pub(super) fn new(slots: usize) -> Self {
        let free = (0..slots).rev().collect();
        Self { holders: vec![None; slots], generations: vec![0; slots], free, changes: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.holders.len()
    }

    pub(super) fn taken(&self) -> usize {
        self.holders.iter().flatten().count()
    }

    /// Gives the free slot that was given back last to `session`.
    pub(super) fn take(&mut self, session: SessionId, client: ClientId) -> Option<SlotKey> {
        let index = self.free.pop()?;
        self.holders[index] = Some(session);
        self.generations[index] += 1;
        self.changes.push(Change::Taken(index, client));
        Some(SlotKey { index, generation: self.generations[index] })
    }

    /// Gives a slot back; a key of an earlier holder changes nothing.
    pub(super) fn release(&mut self, key: SlotKey) {
        if self.is_current(key) {
            self.holders[key.index] = None;
            self.free.push(key.index);
            self.changes.push(Change::Left(key));
        }
    }

    /// Whether `key`'s session still holds its slot.
    pub(super) fn is_current(&self, key: SlotKey) -> bool {
        self.generations.get(key.index) == Some(&key.generation) && self.holders[key.index].is_some()
    }

    /// What happened since the last call, in its order.
    pub(super) fn drain_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, SlotKey, SlotTable};
    use crate::base::{ClientId, SessionId};

    fn take(table: &mut SlotTable, name: &str) -> Option<SlotKey> {
        table.take(SessionId::new(name), ClientId::default())
    }

    #[test]
    fn an_old_holder_cannot_give_away_a_slot_of_the_new_one() {
        let mut table = SlotTable::new(1);
        let first = take(&mut table, "a").unwrap();
        assert!(take(&mut table, "b").is_none());
        table.release(first);
        let second = take(&mut table, "b").unwrap();
        table.release(first);
        assert!(table.is_current(second) && !table.is_current(first));
        let changes =
            [Change::Taken(0, ClientId::default()), Change::Left(first), Change::Taken(0, ClientId::default())];
        assert_eq!((table.taken(), table.drain_changes()), (1, changes.to_vec()));
    }

    #[test]
    fn who_comes_right_back_gets_the_slot_it_had() {
        let mut table = SlotTable::new(4);
        let keys: Vec<_> = ["a", "b", "c"].map(|name| take(&mut table, name).unwrap()).into();
        assert_eq!(keys.iter().map(|k| k.index).collect::<Vec<_>>(), [0, 1, 2]);
        table.release(keys[0]);
        table.release(keys[2]);
        table.release(keys[2]);
        assert_eq!(["c again", "d", "e"].map(|name| take(&mut table, name).unwrap().index), [2, 0, 3]);
        assert!(take(&mut table, "f").is_none());
    }
}
