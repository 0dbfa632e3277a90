//! One row of the index, and the file name that says the same.

use super::types::{MAX_BODY_BYTES, MAX_JPEG_BYTES};
use super::{MAX_BATCH, Record, StoreError};

/// What file systems hand out at least.
const BLOCK: u64 = 4096;
/// What a memory takes of the quota before anything is in it: its owner file.
pub(super) const MEMORY_COST: u64 = BLOCK;
/// Longest memory time and latest date in ms: more than 2000 years, and far from overflow when added.
pub(super) const MAX_MS: u64 = 1 << 46;
const MAX_KEY: usize = 64;
/// Longest file: the largest picture, with nonce and tag.
pub(super) const MAX_FILE: u64 = MAX_JPEG_BYTES as u64 + 64;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Event,
    Keyframe,
    Meta,
}

impl Kind {
    pub(super) const fn code(self) -> i64 {
        match self {
            Self::Event => 1,
            Self::Keyframe => 2,
            Self::Meta => 3,
        }
    }

    pub(super) const fn from_code(code: i64) -> Option<Self> {
        match code {
            1 => Some(Self::Event),
            2 => Some(Self::Keyframe),
            3 => Some(Self::Meta),
            _ => None,
        }
    }

    /// What a person calls it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Event => "an event",
            Self::Keyframe => "a picture",
            Self::Meta => "an extra",
        }
    }
}

/// What the index knows of a record. `extra` is the tier of an event and the event of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Running number within the archive: no two files share one, so a new version never overwrites an old one.
    pub(super) serial: u64,
    pub(super) kind: Kind,
    pub(super) id: u64,
    pub(super) key: String,
    pub(super) start_ms: u64,
    pub(super) end_ms: u64,
    pub(super) extra: u64,
    /// Length of the file.
    pub(super) bytes: u64,
}

impl Row {
    /// The row of a record that is to be written; its length is not known yet. `None` for [`Record::DropEvent`].
    pub(super) fn of(record: &Record, serial: u64) -> Option<Self> {
        let (kind, id, key, start_ms, end_ms, extra) = match record {
            Record::Event { id, start_ms, end_ms, tier, .. } => {
                (Kind::Event, *id, "", *start_ms, *end_ms, u64::from(*tier))
            }
            Record::Keyframe { id, event, at_ms, .. } => (Kind::Keyframe, *id, "", *at_ms, *at_ms, *event),
            Record::Meta { key, .. } => (Kind::Meta, 0, key.as_str(), 0, 0, 0),
            Record::DropEvent { .. } => return None,
        };
        Some(Self { serial, kind, id, key: key.to_owned(), start_ms, end_ms, extra, bytes: 0 })
    }

    /// Bytes of the quota.
    pub(super) const fn cost(&self) -> u64 {
        cost(self.bytes)
    }

    /// The name of its file. Pictures in the clear end in `.jpg`, so that a person can look at them.
    pub(super) fn file_name(&self, sealed: bool) -> String {
        let Self { serial, id, key, start_ms, end_ms, extra, .. } = self;
        match self.kind {
            Kind::Event => format!("e.{id}.{start_ms}.{end_ms}.{extra}.{serial}"),
            Kind::Keyframe if sealed => format!("k.{id}.{start_ms}.{extra}.{serial}"),
            Kind::Keyframe => format!("k.{id}.{start_ms}.{extra}.{serial}.jpg"),
            Kind::Meta => format!("m.{key}.{serial}"),
        }
    }

    /// The row that a file name stands for; `None` when it is not the name of a record.
    pub(super) fn from_file_name(name: &str, bytes: u64) -> Option<Self> {
        let parts: Vec<&str> = name.strip_suffix(".jpg").unwrap_or(name).split('.').collect();
        let n = |text: &str| text.parse::<u64>().ok();
        let ms = |text: &str| n(text).filter(|v| *v <= MAX_MS);
        let row = match *parts.as_slice() {
            ["e", id, start, end, tier, serial] => Self {
                serial: n(serial)?,
                kind: Kind::Event,
                id: n(id)?,
                key: String::new(),
                start_ms: ms(start)?,
                end_ms: ms(end)?,
                extra: n(tier)?,
                bytes,
            },
            ["k", id, at, event, serial] => Self {
                serial: n(serial)?,
                kind: Kind::Keyframe,
                id: n(id)?,
                key: String::new(),
                start_ms: ms(at)?,
                end_ms: ms(at)?,
                extra: n(event)?,
                bytes,
            },
            ["m", key, serial] if good_key(key) => Self {
                serial: n(serial)?,
                kind: Kind::Meta,
                id: 0,
                key: key.to_owned(),
                start_ms: 0,
                end_ms: 0,
                extra: 0,
                bytes,
            },
            _ => return None,
        };
        // Only the spelling that we write ourselves: `k.1.2.3.04` is not ours.
        (row.file_name(true) == name || row.file_name(false) == name).then_some(row)
    }

    /// What the seal binds beside the content: swapping two files, or renaming one, breaks it.
    pub(super) fn label(&self, memory: &str) -> Vec<u8> {
        let mut label = format!("{memory}/{}/{}/", self.kind.code(), self.key).into_bytes();
        for number in [self.id, self.start_ms, self.end_ms, self.extra, self.serial] {
            label.extend_from_slice(&number.to_be_bytes());
        }
        label
    }
}

/// Bytes of the quota that a file of `bytes` takes.
pub(super) const fn cost(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK)
}

/// What is sealed into the record's file.
pub(super) fn body(record: &Record) -> &[u8] {
    match record {
        Record::Event { body, .. } | Record::Meta { body, .. } => body,
        Record::Keyframe { jpeg, .. } => jpeg,
        Record::DropEvent { .. } => &[],
    }
}

fn good_key(key: &str) -> bool {
    (1..=MAX_KEY).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

/// Refuses what is too large or cannot be right, before anything is touched.
pub(super) fn check(records: &[Record]) -> Result<(), StoreError> {
    let most = |what, bytes: usize, most: usize| {
        let (bytes, most) = (bytes as u64, most as u64);
        if bytes > most { Err(StoreError::TooLarge { what, bytes, most }) } else { Ok(()) }
    };
    if records.len() > MAX_BATCH {
        return Err(StoreError::BadRecord("more than 4096 in one write; write them in several"));
    }
    for record in records {
        match record {
            Record::Event { start_ms, end_ms, body, .. } => {
                most("the body of an event", body.len(), MAX_BODY_BYTES)?;
                if start_ms > end_ms || *end_ms > MAX_MS {
                    return Err(StoreError::BadRecord("an event ends before it begins, or after 2000 years"));
                }
            }
            Record::Keyframe { at_ms, jpeg, .. } => {
                most("a picture", jpeg.len(), MAX_JPEG_BYTES)?;
                if *at_ms > MAX_MS {
                    return Err(StoreError::BadRecord("a picture was taken after 2000 years"));
                }
            }
            Record::Meta { key, body } => {
                most("the body of an extra", body.len(), MAX_BODY_BYTES)?;
                if !good_key(key) {
                    return Err(StoreError::BadRecord("the key of an extra has to be 1 to 64 of a-z, 0-9, _ and -"));
                }
            }
            Record::DropEvent { .. } => {}
        }
    }
    Ok(())
}
