//! A running graph between an appsrc and an appsink, and its replacement when it fails.
//!
//! In: buffers. Out: samples, on GStreamer's own thread. A failed graph is torn down and built anew on a short-lived thread, so that
//! whoever pushes never waits; at most one restart per [`RESTART_INTERVAL`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::base::MediaTime;

use super::DecodeError;
use super::graph::Graph;

/// A graph that fails at once when rebuilt must not burn a core.
const RESTART_INTERVAL: Duration = Duration::from_millis(500);

/// What to do with each decoded sample; an error text ends the graph.
pub(super) type OnSample = Arc<dyn Fn(gst::Sample) -> Result<(), String> + Send + Sync>;

/// Asked of every picture as it leaves the decoder, before it is scaled and converted: whether it goes on.
pub(super) type Valve = Arc<dyn Fn(&gst::BufferRef) -> bool + Send + Sync>;

/// How to start the graph, now and after every failure.
pub(super) struct Recipe {
    pub(super) graph: Graph,
    pub(super) on_sample: OnSample,
    pub(super) valve: Option<Valve>,
    /// Video: the sink drops the older sample when it has two. Audio: it never drops.
    pub(super) newest_wins: bool,
}

/// Whether a graph still works; set by GStreamer's threads, read by the pusher.
#[derive(Default)]
struct Health {
    failed: AtomicBool,
    why: Mutex<String>,
}

impl Health {
    fn fail(&self, why: String) {
        if !self.failed.swap(true, Ordering::SeqCst) {
            *self.why.lock().unwrap_or_else(PoisonError::into_inner) = why;
        }
    }
}

/// A pipeline in state Playing. Dropping it stops it and joins its threads: that blocks, a few milliseconds as a rule.
pub(super) struct Running {
    pipeline: gst::Pipeline,
    src: gst_app::AppSrc,
    health: Arc<Health>,
}

impl Recipe {
    /// Builds and starts the pipeline. Blocks.
    pub(super) fn start(&self) -> Result<Running, DecodeError> {
        let failed = |why: String| DecodeError::Start { graph: self.graph.name.as_str().to_owned(), why };
        let pipeline = self.graph.build()?;
        let src = pipeline.by_name("src").and_downcast::<gst_app::AppSrc>();
        let sink = pipeline.by_name("sink").and_downcast::<gst_app::AppSink>();
        let (Some(src), Some(sink)) = (src, sink) else { return Err(failed("it lost its ends".to_owned())) };
        // The bound on the input is ours (the level is asked before every push), so appsrc's own limits are off.
        src.set_format(gst::Format::Time);
        src.set_is_live(true);
        src.set_do_timestamp(false);
        src.set_max_bytes(0);
        let health = Arc::new(Health::default());
        prepare_sink(&sink, self.newest_wins);
        sink.set_callbacks(self.callbacks(&health));
        if let Some(valve) = &self.valve {
            install(valve, &sink).ok_or_else(|| failed("it has no decoder before its sink".to_owned()))?;
        }
        watch_bus(&pipeline, &health)?;
        let running = Running { pipeline, src, health };
        match running.pipeline.set_state(gst::State::Playing) {
            Ok(_) => Ok(running),
            Err(_) => Err(failed(running.why())),
        }
    }

    fn callbacks(&self, health: &Arc<Health>) -> gst_app::AppSinkCallbacks {
        let (on_sample, health) = (Arc::clone(&self.on_sample), Arc::clone(health));
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Flushing)?;
                on_sample(sample).map(|()| gst::FlowSuccess::Ok).map_err(|why| {
                    health.fail(why);
                    gst::FlowError::Error
                })
            })
            .build()
    }
}

/// Puts the valve behind the decoder, the nearest one before the sink; `None` when there is none.
fn install(valve: &Valve, sink: &gst_app::AppSink) -> Option<()> {
    let mut pad = sink.static_pad("sink")?;
    loop {
        let before = pad.peer()?.parent_element()?;
        if before.factory()?.has_type(gst::ElementFactoryType::DECODER) {
            break;
        }
        pad = before.static_pad("sink")?;
    }
    let valve = Arc::clone(valve);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| match info.buffer() {
        // Not `Drop`: the binding has taken the buffer by then, and GStreamer complains that there is none left to drop.
        Some(buffer) if !valve(buffer) => gst::PadProbeReturn::Handled,
        _ => gst::PadProbeReturn::Ok,
    })?;
    Some(())
}

/// Sets what every appsink of ours has in common.
pub(super) fn prepare_sink(sink: &gst_app::AppSink, newest_wins: bool) {
    sink.set_sync(false);
    sink.set_async(false);
    sink.set_qos(false);
    sink.set_max_buffers(2);
    sink.set_drop(newest_wins);
    // Otherwise the sink keeps one frame alive until it is disposed.
    sink.set_enable_last_sample(false);
}

/// Errors are noted where they happen and every message ends there: a bus that nobody reads would grow without bound.
fn watch_bus(pipeline: &gst::Pipeline, health: &Arc<Health>) -> Result<(), DecodeError> {
    let bus = pipeline.bus().ok_or_else(|| DecodeError::Bug("a pipeline without a bus".to_owned()))?;
    let health = Arc::clone(health);
    bus.set_sync_handler(move |_, message| {
        if let gst::MessageView::Error(e) = message.view() {
            health.fail(e.error().message().to_owned());
        }
        gst::BusSyncReply::Drop
    });
    Ok(())
}

impl Running {
    /// Buffers waiting in front of the decoder.
    pub(super) fn level(&self) -> u64 {
        self.src.current_level_buffers()
    }

    /// Queues a buffer; never blocks.
    pub(super) fn push(&self, buffer: gst::Buffer) {
        if let Err(e) = self.src.push_buffer(buffer) {
            self.health.fail(format!("input refused: {e}"));
        }
    }

    /// Queues an event behind the buffers already there.
    pub(super) fn send(&self, event: gst::Event) {
        self.src.send_event(event);
    }

    /// Declares the graph broken, as the watchdog does.
    pub(super) fn fail(&self, why: &str) {
        self.health.fail(why.to_owned());
    }

    fn failed(&self) -> bool {
        self.health.failed.load(Ordering::SeqCst)
    }

    fn why(&self) -> String {
        self.health.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(bus) = self.pipeline.bus() {
            bus.unset_sync_handler();
            bus.set_flushing(true);
        }
        // Fails only for a pipeline that could not be started; there is nothing further to do with it.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

enum State {
    Running(Running),
    /// Broken, not yet due for a restart; what is left of the old graph is torn down on the restart thread.
    Broken(Option<Running>),
    Restarting(JoinHandle<Result<Running, DecodeError>>),
}

/// What a poll found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Polled {
    /// The graph works.
    Up,
    /// It failed since the last poll, for this reason.
    Failed(String),
    /// It has been replaced by a fresh one since the last poll.
    Restarted,
    /// No graph at the moment.
    Down,
}

/// A graph that is replaced when it fails.
pub(super) struct Live {
    recipe: Arc<Recipe>,
    state: State,
    last_restart: Option<MediaTime>,
}

impl Live {
    /// Starts the first graph. Blocks.
    pub(super) fn start(recipe: Recipe) -> Result<Self, DecodeError> {
        let first = recipe.start()?;
        Ok(Self { recipe: Arc::new(recipe), state: State::Running(first), last_restart: None })
    }

    /// The graph, if it works as far as the last poll knew.
    pub(super) fn running(&self) -> Option<&Running> {
        if let State::Running(r) = &self.state { Some(r) } else { None }
    }

    /// Looks at the graph and moves its replacement forward; never blocks.
    pub(super) fn poll(&mut self, now: MediaTime) -> Polled {
        match std::mem::replace(&mut self.state, State::Broken(None)) {
            State::Running(r) if r.failed() => {
                let why = r.why();
                self.state = State::Broken(Some(r));
                self.restart_if_due(now);
                Polled::Failed(why)
            }
            State::Restarting(thread) if thread.is_finished() => match thread.join() {
                Ok(Ok(fresh)) => {
                    self.state = State::Running(fresh);
                    Polled::Restarted
                }
                Ok(Err(e)) => {
                    tracing::warn!(graph = self.recipe.graph.name.as_str(), error = %e, "decode graph did not restart");
                    Polled::Down
                }
                Err(_) => Polled::Down,
            },
            same => {
                self.state = same;
                self.restart_if_due(now);
                if matches!(self.state, State::Running(_)) { Polled::Up } else { Polled::Down }
            }
        }
    }

    fn restart_if_due(&mut self, now: MediaTime) {
        let due = self.last_restart.is_none_or(|t| now.since(t) >= RESTART_INTERVAL);
        let State::Broken(old) = &mut self.state else { return };
        if !due {
            return;
        }
        self.last_restart = Some(now);
        let (old, recipe) = (old.take(), Arc::clone(&self.recipe));
        let spawned = Builder::new().name("decode-restart".to_owned()).spawn(move || {
            drop(old);
            recipe.start()
        });
        match spawned {
            Ok(thread) => self.state = State::Restarting(thread),
            Err(e) => tracing::warn!(error = %e, "no thread to restart a decode graph; trying again"),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let State::Restarting(thread) = std::mem::replace(&mut self.state, State::Broken(None)) {
            drop(thread.join());
        }
    }
}
