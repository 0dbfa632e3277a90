//! Video access units of one live stream → pictures.
//!
//! Floor 2. In: [`AccessUnit`]. Out: [`Picture`] of its own size, long side at most `max_side`, on GStreamer's thread.
//! Loses: `NoKeyframe`, `DecoderBehind`, `Corrupt`, and `RateLimited` and `Unchanged`: of temporal layers no more are decoded than are needed (`layers.rs`), and of what is
//! decoded only as much goes on as is compared, and less where nothing moves. What is looked at becomes RGB then.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gstreamer as gst;

use crate::base::{AccessUnit, Clock, Codec, FrameId, LossReason, MediaTime};
use crate::watch::Picture;
use crate::watch::coded::{Valve, is_quiet};

use super::counters::{Counters, DecodeStats};
use super::frame::{self, Developer};
use super::gate::{Facts, Gate};
use super::graph::{Graph, GraphName};
use super::header;
use super::layers::Layers;
use super::live::{Live, Polled, Recipe};
use super::{DecodeConfig, DecodeError, init};

/// The watchdog never barks sooner than this: a machine that stalls for a moment is not a broken decoder.
const WATCHDOG_MIN: Duration = Duration::from_secs(2);

/// So many units swallowed without a frame, and a keyframe is asked for: half a second at 30/s.
const SILENT_PUSHES: u64 = 15;

/// One live video stream's decoder. Dropping it stops its graph and joins its threads, which blocks for some milliseconds: drop it on a
/// blocking thread.
pub struct VideoDecoder {
    codec: Codec,
    cfg: DecodeConfig,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    live: Live,
    gate: Gate,
    layers: Layers,
    on_keyframe_needed: Box<dyn Fn() + Send>,
    last_pts: u64,
    /// Oversized streams are reported once, not thirty times a second.
    told_of_size: bool,
    /// Of the pictures, as the stream said it last; 0 before.
    pixels: u64,
}

/// What GStreamer's thread shares with the pusher.
struct Shared {
    counters: Counters,
    clock: Arc<dyn Clock>,
    inside: Mutex<Inside>,
    sink: Mutex<Box<dyn FnMut(Picture) + Send>>,
    developer: Arc<Developer>,
    /// Pictures decoded so far: the newest one's number is one less.
    next_id: AtomicU64,
    valve: Mutex<Valve>,
    /// Units fed or held back since the last frame came out, for the watchdog.
    since_out: AtomicU64,
    last_out_us: AtomicU64,
}

/// A unit inside the graph.
struct Unit {
    /// Its time stamp: strictly rising, as decoders want it.
    pts: u64,
    capture: MediaTime,
    pushed: MediaTime,
    /// Its size says that nothing moved.
    quiet: bool,
}

type Inside = VecDeque<Unit>;

/// More than the input queue plus what a decoder holds.
const MAX_INSIDE: usize = 128;

impl VideoDecoder {
    /// Starts the graph of `codec`. Blocks (reads the graph, loads plugins, starts threads): not for a tokio worker.
    ///
    /// `sink` gets every picture, on GStreamer's thread; it must not block. `on_keyframe_needed` is called from within `push`, at most
    /// once a second.
    ///
    /// # Errors
    /// `codec` is not video, or its graph cannot be built or started.
    pub fn start(
        codec: Codec,
        cfg: &DecodeConfig,
        clock: Arc<dyn Clock>,
        sink: impl FnMut(Picture) + Send + 'static,
        on_keyframe_needed: impl Fn() + Send + 'static,
    ) -> Result<Self, DecodeError> {
        if !codec.is_video() {
            return Err(DecodeError::WrongKind(codec));
        }
        init()?;
        let shared = Arc::new(Shared {
            counters: Counters::new(codec),
            clock: Arc::clone(&clock),
            inside: Mutex::default(),
            sink: Mutex::new(Box::new(sink)),
            developer: Arc::default(),
            next_id: AtomicU64::new(0),
            valve: Mutex::new(Valve::new(cfg.least_between, cfg.by_size)),
            since_out: AtomicU64::new(0),
            last_out_us: AtomicU64::new(clock.now().as_micros()),
        });
        let (on_sample, on_picture) = (Arc::clone(&shared), Arc::clone(&shared));
        let live = Live::start(Recipe {
            graph: Graph::load(GraphName::Codec(codec), cfg)?,
            on_sample: Arc::new(move |sample| on_sample.on_sample(sample)),
            valve: Some(Arc::new(move |picture| on_picture.passes(picture))),
            newest_wins: true,
        })?;
        Ok(Self {
            codec,
            cfg: cfg.clone(),
            clock,
            shared,
            live,
            gate: Gate::new(),
            layers: Layers::new(cfg.least_between),
            on_keyframe_needed: Box::new(on_keyframe_needed),
            last_pts: 0,
            told_of_size: false,
            pixels: 0,
        })
    }

    /// Takes the next unit. Never blocks and never fails: what cannot be decoded is dropped and counted, and a keyframe asked for.
    pub fn push(&mut self, unit: AccessUnit) {
        let now = self.clock.now();
        self.shared.counters.pushed();
        self.look_after_graph(now);
        if let Err(reason) = self.try_push(unit, now) {
            self.shared.counters.lost(reason);
        }
        if self.gate.request_due(self.silent(), now) {
            (self.on_keyframe_needed)();
        }
    }

    /// Figures since the start.
    #[must_use]
    pub fn stats(&self) -> DecodeStats {
        self.shared.counters.stats()
    }

    /// Decoders wait for a keyframe by themselves after some kinds of damage, and say nothing.
    fn silent(&self) -> bool {
        self.shared.since_out.load(Ordering::Relaxed) >= SILENT_PUSHES
            && self.live.running().is_some_and(|g| g.level() == 0)
    }

    fn look_after_graph(&mut self, now: MediaTime) {
        let quiet = self.shared.since_out.load(Ordering::Relaxed) >= self.cfg.watchdog_pushes
            && now.since(MediaTime::from_micros(self.shared.last_out_us.load(Ordering::Relaxed))) >= WATCHDOG_MIN;
        if quiet && let Some(graph) = self.live.running() {
            graph.fail("watchdog: units go in and no frame comes out");
        }
        match self.live.poll(now) {
            Polled::Up | Polled::Down => {}
            Polled::Failed(why) => {
                tracing::debug!(
                    codec = self.codec.name(),
                    why,
                    "video decoder failed; restarting it at the next keyframe"
                );
                self.shared.counters.failed();
                self.shared.counters.lost(LossReason::Corrupt);
                self.gate.lose();
                self.shared.reset(now);
            }
            Polled::Restarted => self.gate.lose(),
        }
    }

    fn try_push(&mut self, unit: AccessUnit, now: MediaTime) -> Result<(), LossReason> {
        if unit.codec != self.codec || unit.data.is_empty() || unit.data.len() > self.cfg.max_unit_bytes {
            self.gate.lose();
            return Err(LossReason::Corrupt);
        }
        match header::announced_size(self.codec, &unit.data) {
            Some(size) if !header::within(size, self.cfg.max_input) => {
                self.tell_of_size(size);
                self.gate.lose();
                return Err(LossReason::Corrupt);
            }
            // Every VP8 and VP9 keyframe says its size; H.264 and AV1 may have said it before.
            None if unit.keyframe && matches!(self.codec, Codec::Vp8 | Codec::Vp9) => {
                self.gate.lose();
                return Err(LossReason::Corrupt);
            }
            Some((width, height)) => self.pixels = u64::from(width) * u64::from(height),
            None => {}
        }
        let Some(graph) = self.live.running() else {
            self.gate.lose();
            return Err(LossReason::NoKeyframe);
        };
        if !self.layers.admit(unit.layer, unit.keyframe, unit.capture) {
            return Err(LossReason::RateLimited);
        }
        let full = graph.level() >= self.cfg.video_queue;
        let admitted = self.gate.admit(Facts { keyframe: unit.keyframe, contiguous: unit.contiguous, full });
        if admitted != Err(LossReason::NoKeyframe) {
            self.shared.since_out.fetch_add(1, Ordering::Relaxed);
        }
        admitted?;
        // Time stamps must rise; capture times may step back a little when a sender report corrects them.
        self.last_pts = (unit.capture.as_micros().saturating_mul(1_000)).max(self.last_pts + 1_000);
        let mut inside = self.shared.inside();
        if inside.len() >= MAX_INSIDE {
            inside.pop_front();
        }
        let quiet = is_quiet(unit.data.len(), unit.keyframe, self.pixels);
        inside.push_back(Unit { pts: self.last_pts, capture: unit.capture, pushed: now, quiet });
        drop(inside);
        graph.push(buffer(unit, self.last_pts));
        Ok(())
    }

    fn tell_of_size(&mut self, (width, height): (u32, u32)) {
        if !self.told_of_size {
            self.told_of_size = true;
            let (long, short) = self.cfg.max_input;
            tracing::warn!(
                codec = self.codec.name(),
                width,
                height,
                long,
                short,
                "video is larger than allowed and is not decoded"
            );
        }
    }
}

/// Wraps the unit's bytes without copying them.
fn buffer(unit: AccessUnit, pts_ns: u64) -> gst::Buffer {
    let keyframe = unit.keyframe;
    let mut buffer = gst::Buffer::from_slice(unit.data);
    if let Some(b) = buffer.get_mut() {
        b.set_pts(gst::ClockTime::from_nseconds(pts_ns));
        if !keyframe {
            b.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
    }
    buffer
}

impl Shared {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reset(&self, now: MediaTime) {
        self.inside().clear();
        self.since_out.store(0, Ordering::Relaxed);
        self.last_out_us.store(now.as_micros(), Ordering::Relaxed);
    }

    /// A picture left the decoder. Whether it goes on: no more than a few a second are compared, and what is too large has to be scaled for it.
    fn passes(&self, picture: &gst::BufferRef) -> bool {
        self.next_id.fetch_add(1, Ordering::Relaxed);
        self.since_out.store(0, Ordering::Relaxed);
        self.last_out_us.store(self.clock.now().as_micros(), Ordering::Relaxed);
        self.counters.out();
        // What has no time is refused further down, and said.
        let Some(pts) = picture.pts() else { return true };
        let quiet = self.inside().iter().find(|unit| unit.pts == pts.nseconds()).is_some_and(|unit| unit.quiet);
        let offered = self.valve.lock().unwrap_or_else(PoisonError::into_inner).offer(pts.useconds(), quiet);
        offered.map_err(|reason| self.counters.lost(reason)).is_ok()
    }

    fn on_sample(&self, sample: gst::Sample) -> Result<(), String> {
        let pts = frame::pts_ns(&sample).ok_or("a frame without a time")?;
        let (capture, pushed) = self.leave(pts).unwrap_or((MediaTime::from_micros(pts / 1_000), None));
        let id = FrameId(self.next_id.load(Ordering::Relaxed).saturating_sub(1));
        let picture = frame::picture(sample, id, capture, &self.developer)?;
        if let Some(pushed) = pushed {
            let took = self.clock.now().since(pushed);
            self.counters.decode_us(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        }
        (self.sink.lock().unwrap_or_else(PoisonError::into_inner))(picture);
        Ok(())
    }

    /// Finds the unit with this time stamp and forgets it and those before it (units that show nothing).
    fn leave(&self, pts: u64) -> Option<(MediaTime, Option<MediaTime>)> {
        let mut inside = self.inside();
        while let Some(unit) = inside.pop_front_if(|unit| unit.pts <= pts) {
            if unit.pts == pts {
                return Some((unit.capture, Some(unit.pushed)));
            }
        }
        None
    }
}
