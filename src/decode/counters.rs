//! What a decoder has done and lost, for the session's own figures and for the process's metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::{Codec, LossReason};

/// The reasons for which decoding drops something.
const REASONS: [LossReason; 4] =
    [LossReason::NoKeyframe, LossReason::DecoderBehind, LossReason::Corrupt, LossReason::AudioOverflow];

/// A decoder's figures since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecodeStats {
    /// Units given to `push`.
    pub pushed: u64,
    /// Frames (video) or 40 ms buffers (audio) that came out.
    pub out: u64,
    /// Times that the graph was declared broken.
    pub failures: u64,
    /// Units dropped while waiting for a keyframe.
    pub no_keyframe: u64,
    /// Units dropped because the decoder was behind.
    pub decoder_behind: u64,
    /// Units refused, and decoder errors.
    pub corrupt: u64,
    /// Audio units dropped because 250 were waiting: a defect of ours.
    pub audio_overflow: u64,
    /// Microseconds from push to output of the newest frame (video only).
    pub last_decode_us: u64,
}

/// The same, shared between the pusher and GStreamer's thread. What is counted for every frame is looked up once.
pub(super) struct Counters {
    codec: Codec,
    pushed: AtomicU64,
    out: AtomicU64,
    failures: AtomicU64,
    lost: [AtomicU64; REASONS.len()],
    last_decode_us: AtomicU64,
    out_total: metrics::Counter,
    decode_seconds: metrics::Histogram,
}

impl Counters {
    pub(super) fn new(codec: Codec) -> Self {
        Self {
            codec,
            pushed: AtomicU64::new(0),
            out: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            lost: Default::default(),
            last_decode_us: AtomicU64::new(0),
            out_total: metrics::counter!("sightline_decode_out_total", "codec" => codec.name()),
            decode_seconds: metrics::histogram!("sightline_decode_seconds", "codec" => codec.name()),
        }
    }

    pub(super) fn pushed(&self) {
        self.pushed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn out(&self) {
        self.out.fetch_add(1, Ordering::Relaxed);
        self.out_total.increment(1);
    }

    pub(super) fn decode_us(&self, us: u64) {
        self.last_decode_us.store(us, Ordering::Relaxed);
        self.decode_seconds.record(us as f64 / 1e6);
    }

    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("sightline_decode_failures_total", "codec" => self.codec.name()).increment(1);
    }

    pub(super) fn lost(&self, reason: LossReason) {
        if let Some(i) = REASONS.iter().position(|r| *r == reason) {
            self.lost[i].fetch_add(1, Ordering::Relaxed);
        }
        metrics::counter!("sightline_decode_lost_total", "codec" => self.codec.name(), "reason" => reason.label())
            .increment(1);
    }

    pub(super) fn stats(&self) -> DecodeStats {
        let get = |a: &AtomicU64| a.load(Ordering::Relaxed);
        DecodeStats {
            pushed: get(&self.pushed),
            out: get(&self.out),
            failures: get(&self.failures),
            no_keyframe: get(&self.lost[0]),
            decoder_behind: get(&self.lost[1]),
            corrupt: get(&self.lost[2]),
            audio_overflow: get(&self.lost[3]),
            last_decode_us: get(&self.last_decode_us),
        }
    }
}
