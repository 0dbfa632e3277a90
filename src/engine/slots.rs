//! Which session holds which slot. A slot's generation tells a session from the one that held the slot before it.

use crate::base::SessionId;

/// A slot as one session holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SlotKey {
    /// Which slot.
    pub index: usize,
    /// Which of its holders.
    pub generation: u64,
}

/// All slots.
#[derive(Debug)]
pub(super) struct SlotTable {
    holders: Vec<Option<SessionId>>,
    generations: Vec<u64>,
    /// Slots given back since the worker last looked.
    released: Vec<SlotKey>,
    /// Slots taken since then.
    seated: Vec<usize>,
}

impl SlotTable {
    pub(super) fn new(slots: usize) -> Self {
        Self { holders: vec![None; slots], generations: vec![0; slots], released: Vec::new(), seated: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.holders.len()
    }

    pub(super) fn taken(&self) -> usize {
        self.holders.iter().flatten().count()
    }

    /// Gives the first free slot to `session`.
    pub(super) fn take(&mut self, session: SessionId) -> Option<SlotKey> {
        let index = self.holders.iter().position(Option::is_none)?;
        self.holders[index] = Some(session);
        self.generations[index] += 1;
        self.seated.push(index);
        Some(SlotKey { index, generation: self.generations[index] })
    }

    /// Gives a slot back; a key of an earlier holder changes nothing.
    pub(super) fn release(&mut self, key: SlotKey) {
        if self.is_current(key) {
            self.holders[key.index] = None;
            self.released.push(key);
        }
    }

    /// Whether `key`'s session still holds its slot.
    pub(super) fn is_current(&self, key: SlotKey) -> bool {
        self.generations.get(key.index) == Some(&key.generation) && self.holders[key.index].is_some()
    }

    /// What was given back, and what was taken, since the last call.
    pub(super) fn drain_changes(&mut self) -> (Vec<SlotKey>, Vec<usize>) {
        (std::mem::take(&mut self.released), std::mem::take(&mut self.seated))
    }
}

#[cfg(test)]
mod tests {
    use super::SlotTable;
    use crate::base::SessionId;

    #[test]
    fn an_old_holder_cannot_give_away_a_slot_of_the_new_one() {
        let mut table = SlotTable::new(1);
        let first = table.take(SessionId::new("a")).unwrap();
        assert!(table.take(SessionId::new("b")).is_none());
        table.release(first);
        let second = table.take(SessionId::new("b")).unwrap();
        table.release(first);
        assert!(table.is_current(second) && !table.is_current(first));
        assert_eq!((table.taken(), table.drain_changes()), (1, (vec![first], vec![0, 0])));
    }
}
