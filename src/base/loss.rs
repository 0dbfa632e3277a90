//! Every way in which Sightline drops data on purpose. Each has a stable label for counters and events.

/// Why something was dropped. Nothing is dropped without one of these and a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LossReason {
    /// A newer frame replaced this one before anybody looked at it.
    Superseded,
    /// The decoder was behind: compressed units dropped up to the next keyframe.
    DecoderBehind,
    /// A call was too slow to take its packets from the shared port, or the system to take ours.
    PeerBehind,
    /// RTP packets were lost or too late, so the access unit could not be put together.
    Incomplete,
    /// Waiting for a keyframe: the unit cannot be decoded without one.
    NoKeyframe,
    /// The picture did not change enough to be worth a look.
    Unchanged,
    /// It moves: the look is put off until it is still.
    Moving,
    /// The sampler's frame rate was reached.
    RateLimited,
    /// Perception was behind its deadline.
    PerceptionBehind,
    /// The audio queue overflowed: a defect of ours, counted as such.
    AudioOverflow,
    /// An utterance was shorter than speech can be, or longer than the limit.
    UtteranceBounds,
    /// An event from the client was refused because the session's queue was full.
    SessionBusy,
    /// The client read too slowly and its connection was closed.
    SlowReader,
    /// Decoder or parser refused the data.
    Corrupt,
    /// The session was closing.
    Closing,
    /// The disk of the archive is full, broken or too slow: the picture stays in memory only.
    ArchiveBehind,
    /// A client came back too late for events that were kept for it.
    JournalGap,
    /// Sound of ours that came too late to be played, or for which there was no room.
    VoiceBehind,
    /// The collector of spans was slow, gone, or did not want them.
    CollectorBehind,
    /// A connection that was to be encrypted never came to be: too slow, or it spoke something else.
    Handshake,
}

impl LossReason {
    /// The label used in metrics and events.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Superseded => "superseded",
            Self::DecoderBehind => "decoder_behind",
            Self::PeerBehind => "peer_behind",
            Self::Incomplete => "incomplete",
            Self::NoKeyframe => "no_keyframe",
            Self::Unchanged => "unchanged",
            Self::Moving => "moving",
            Self::RateLimited => "rate_limited",
            Self::PerceptionBehind => "perception_behind",
            Self::AudioOverflow => "audio_overflow",
            Self::UtteranceBounds => "utterance_bounds",
            Self::SessionBusy => "session_busy",
            Self::SlowReader => "slow_reader",
            Self::Corrupt => "corrupt",
            Self::Closing => "closing",
            Self::ArchiveBehind => "archive_behind",
            Self::JournalGap => "journal_gap",
            Self::VoiceBehind => "voice_behind",
            Self::CollectorBehind => "collector_behind",
            Self::Handshake => "handshake",
        }
    }
}
