//! Forgetting: what is forgotten is gone from every file of the archive when the call returns.

use std::collections::BTreeSet;

use super::evict::Loss;
use super::index::Found;
use super::records::Kind;
use super::{Archive, Forget, Forgotten, MemoryName, Record, StoreError};

impl Archive {
    /// Forgets a span of a memory, or all of it, for good, and returns when that would survive a power failure.
    ///
    /// Of a span go: its pictures; the events that lie in it; and the events that reach into it, unless `rewritten` has them with
    /// what is left. `rewritten` may hold any record, an extra that must not tell any more for one, and nothing of it may speak
    /// of the span: that is for the caller to see to. With [`Forget::All`] it must be empty.
    ///
    /// Files go before the index does: on a full disk that is what makes room. Interrupted, it leaves less than there was, never
    /// more, and the same call can be made again.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMemory`], what [`Archive::write`] says of `rewritten`, and what the disk says: then it is not certain
    /// that all is gone, and the call has to be made again.
    pub fn forget(&mut self, name: &MemoryName, what: Forget, rewritten: &[Record]) -> Result<Forgotten, StoreError> {
        match what {
            Forget::All if rewritten.is_empty() => self.forget_all(name),
            Forget::All => Err(StoreError::BadRecord("a memory that is forgotten whole cannot be rewritten")),
            Forget::Span { start_ms, end_ms } if start_ms > end_ms => {
                Err(StoreError::BadRecord("the span to forget ends before it begins"))
            }
            Forget::Span { start_ms, end_ms } => self.forget_span(name, (start_ms, end_ms), rewritten),
        }
    }

    fn forget_all(&mut self, name: &MemoryName) -> Result<Forgotten, StoreError> {
        let memory = self.memory(name)?;
        self.files.remove_dir(name, memory.started)?;
        let evicted = self.change(|db, total, _| {
            let mut loss = Loss::default();
            loss.whole(db, total, memory)?;
            Ok(loss.evicted)
        })?;
        self.sync()?;
        Ok(Forgotten { events: evicted.events, keyframes: evicted.keyframes, bytes: evicted.bytes })
    }

    fn forget_span(
        &mut self,
        name: &MemoryName,
        span: (u64, u64),
        rewritten: &[Record],
    ) -> Result<Forgotten, StoreError> {
        let memory = self.memory(name)?;
        self.check_records(&memory, rewritten)?;
        let before = self.total;
        let gone = self.inside(name, span, rewritten)?;
        for found in &gone {
            self.files.remove(self.files.path(name, &found.row));
        }
        // Older versions of events may speak of the span, and nothing may bring them back.
        let dir = self.files.dir(name);
        self.files.remove_doomed(Some(&dir))?;
        let staged = self.stage(&memory, rewritten)?;
        let applied = self.apply(&memory, staged, &gone)?;
        for found in &applied.replaced {
            self.files.remove(self.files.path(name, &found.row));
        }
        self.sync()?;
        let of = |kind| gone.iter().filter(|f| f.row.kind == kind).count() as u64;
        Ok(Forgotten {
            events: of(Kind::Event),
            keyframes: of(Kind::Keyframe),
            bytes: before.saturating_sub(self.total),
        })
    }

    /// What has to go with a span.
    fn inside(
        &self,
        name: &MemoryName,
        (start, end): (u64, u64),
        rewritten: &[Record],
    ) -> Result<Vec<Found>, StoreError> {
        let kept: BTreeSet<(Kind, u64)> = rewritten
            .iter()
            .filter_map(|r| match r {
                Record::Event { id, .. } => Some((Kind::Event, *id)),
                Record::Keyframe { id, .. } => Some((Kind::Keyframe, *id)),
                _ => None,
            })
            .collect();
        let mut gone = Vec::new();
        for kind in [Kind::Keyframe, Kind::Event] {
            gone.extend(self.rows(name, kind)?.into_iter().filter(|f| {
                let within = start <= f.row.start_ms && f.row.end_ms <= end;
                // Events that only touch the span are neighbours.
                let reaches = f.row.start_ms < end && start < f.row.end_ms;
                (within || reaches) && !kept.contains(&(kind, f.row.id))
            }));
        }
        Ok(gone)
    }
}
