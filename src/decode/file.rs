//! A recorded file, or a still picture, as frames and sound in the order of time.
//!
//! Floor 2. In: a path. Out: [`RgbFrame`] and [`Pcm`] with the file's own times, pulled by the consumer: GStreamer waits when a lane is
//! full. Loses nothing.

mod autoplug;
mod lanes;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::base::{FrameId, MediaTime, Pcm, RgbFrame};

use super::framer::Framer;
use super::graph::{Graph, GraphName};
use super::{DecodeConfig, DecodeError, frame, init, live};
use lanes::{Failure, Lanes};

/// One piece of a file.
#[derive(Debug, Clone)]
pub enum FileItem {
    /// A picture.
    Frame(RgbFrame),
    /// 40 ms of sound; the last piece is padded with silence.
    Pcm(Pcm),
}

/// Which streams a file must have for the caller to make sense of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Without a picture: an error.
    pub video: bool,
    /// Without sound: an error.
    pub audio: bool,
}

/// Reads one file. Dropping it stops its graph, which blocks for some milliseconds.
pub struct FileReader {
    path: PathBuf,
    pipeline: gst::Pipeline,
    lanes: Arc<Lanes>,
    newest: MediaTime,
    ended: bool,
}

/// A file that ends this much before its own declared duration was cut short.
const CUT_SHORT: Duration = Duration::from_secs(1);

impl FileReader {
    /// Opens a file and waits until its streams are known. Blocks: not for a tokio worker.
    ///
    /// # Errors
    /// The file is missing, empty, not media, damaged at its beginning, without a stream that `wanted` names, or the `file` graph cannot
    /// be built here.
    pub fn open(path: &Path, wanted: Wanted, cfg: &DecodeConfig) -> Result<Self, DecodeError> {
        look_at(path)?;
        init()?;
        let graph = Graph::load(GraphName::File, cfg)?;
        let pipeline = graph.build()?;
        let lanes = Arc::new(Lanes::default());
        let reader =
            Self { path: path.to_owned(), pipeline, lanes: Arc::clone(&lanes), newest: MediaTime::ZERO, ended: false };
        reader.connect()?;
        if reader.pipeline.set_state(gst::State::Playing).is_err() && !lanes.failed() {
            lanes.fail(Failure::Damaged("the graph does not start".to_owned()));
        }
        lanes.wait_for_streams(&|| autoplug::demuxer_gave_up(&reader.pipeline)).map_err(|f| reader.error(f))?;
        for (need, has, kind) in
            [(wanted.video, lanes.has_video(), "video"), (wanted.audio, lanes.has_audio(), "audio")]
        {
            if need && !has {
                return Err(lanes.undecodable(kind).map_or_else(
                    || DecodeError::NoStream { path: path.to_owned(), kind },
                    |codec| DecodeError::NoDecoder { path: path.to_owned(), kind, codec },
                ));
            }
        }
        Ok(reader)
    }

    /// The next piece, by time across picture and sound as far as the file interleaves them; `None` at the end. Blocks while GStreamer
    /// decodes.
    ///
    /// # Errors
    /// The file is damaged or cut short; everything before the damage has been given. After an error comes `None`.
    #[allow(clippy::should_implement_trait, reason = "an iterator would have to own the error twice")]
    pub fn next(&mut self) -> Result<Option<FileItem>, DecodeError> {
        if self.ended {
            return Ok(None);
        }
        match self.lanes.next() {
            Ok(Some(item)) => {
                self.newest = self.newest.max(match &item {
                    FileItem::Frame(f) => f.capture,
                    FileItem::Pcm(p) => p.start,
                });
                Ok(Some(item))
            }
            Ok(None) => {
                self.ended = true;
                self.cut_short().map_or(Ok(None), Err)
            }
            Err(failure) => {
                self.ended = true;
                Err(self.error(failure))
            }
        }
    }

    /// Whether there are pictures.
    #[must_use]
    pub fn has_video(&self) -> bool {
        self.lanes.has_video()
    }

    /// Whether there is sound.
    #[must_use]
    pub fn has_audio(&self) -> bool {
        self.lanes.has_audio()
    }

    /// How long the file says it is.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.pipeline.query_duration::<gst::ClockTime>().map(Duration::from)
    }

    fn cut_short(&self) -> Option<DecodeError> {
        let whole = self.duration()?;
        let seen = self.newest.since(MediaTime::ZERO);
        // A still picture or a slide show may say anything about its duration.
        let missing = whole.checked_sub(seen).filter(|m| *m > CUT_SHORT && *m > whole / 10)?;
        let why = format!("the last {:.1} s of {:.1} s are missing", missing.as_secs_f64(), whole.as_secs_f64());
        (seen > Duration::ZERO).then(|| DecodeError::FileDamaged { path: self.path.clone(), why })
    }

    fn error(&self, failure: Failure) -> DecodeError {
        let path = self.path.clone();
        match failure {
            Failure::NotMedia(why) => DecodeError::NotMedia { path, why },
            Failure::Damaged(why) => DecodeError::FileDamaged { path, why },
            Failure::TooLarge { what, got, allowed } => DecodeError::PictureTooLarge { what, got, allowed },
            Failure::Stalled(after) => DecodeError::FileStalled { path, seconds: after.as_secs() },
        }
    }

    fn connect(&self) -> Result<(), DecodeError> {
        let bug = |what: &str| DecodeError::Bug(format!("the file graph has no {what}"));
        let by_name = |name: &str| self.pipeline.by_name(name).ok_or_else(|| bug(name));
        by_name("file")?.set_property_from_str("location", &self.path.to_string_lossy());
        let video = by_name("video")?.downcast::<gst_app::AppSink>().map_err(|_| bug("video sink"))?;
        let audio = by_name("audio")?.downcast::<gst_app::AppSink>().map_err(|_| bug("audio sink"))?;
        live::prepare_sink(&video, false);
        live::prepare_sink(&audio, false);
        video.set_callbacks(video_callbacks(&self.lanes));
        audio.set_callbacks(audio_callbacks(&self.lanes));
        self.watch_bus()?;
        autoplug::connect(&by_name("decode")?, &by_name("video_in")?, &by_name("audio_in")?, &self.lanes);
        Ok(())
    }

    fn watch_bus(&self) -> Result<(), DecodeError> {
        let bus = self.pipeline.bus().ok_or_else(|| DecodeError::Bug("a pipeline without a bus".to_owned()))?;
        let lanes = Arc::clone(&self.lanes);
        bus.set_sync_handler(move |_, message| {
            if let gst::MessageView::Error(e) = message.view() {
                let error = e.error();
                let why = error.message().trim_end_matches('.').to_lowercase();
                let foreign = matches!(
                    error.kind::<gst::StreamError>(),
                    Some(
                        gst::StreamError::TypeNotFound | gst::StreamError::WrongType | gst::StreamError::CodecNotFound
                    )
                ) || error.kind::<gst::CoreError>() == Some(gst::CoreError::MissingPlugin);
                lanes.fail(if foreign { Failure::NotMedia(why) } else { Failure::Damaged(why) });
            }
            gst::BusSyncReply::Drop
        });
        Ok(())
    }
}

impl Drop for FileReader {
    fn drop(&mut self) {
        // First let go whoever waits for room in a lane: stopping joins those threads.
        self.lanes.close();
        if let Some(bus) = self.pipeline.bus() {
            bus.unset_sync_handler();
            bus.set_flushing(true);
        }
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// What the file system alone can say.
fn look_at(path: &Path) -> Result<(), DecodeError> {
    let unreadable = |why: String| DecodeError::FileUnreadable { path: path.to_owned(), why };
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(DecodeError::FileMissing(path.to_owned())),
        Err(e) => return Err(unreadable(e.to_string())),
    };
    if !meta.is_file() {
        return Err(unreadable("it is not a regular file".to_owned()));
    }
    if meta.len() == 0 {
        return Err(DecodeError::FileEmpty(path.to_owned()));
    }
    if path.to_str().is_none() {
        return Err(unreadable("its name is not valid UTF-8".to_owned()));
    }
    std::fs::File::open(path).map(drop).map_err(|e| unreadable(e.to_string()))
}

/// The file's own time of a sample.
fn time_of(sample: &gst::Sample) -> Option<MediaTime> {
    let pts = sample.buffer()?.pts()?;
    let segment = sample.segment().and_then(|s| s.downcast_ref::<gst::ClockTime>());
    let time = segment.and_then(|s| s.to_stream_time(pts)).unwrap_or(pts);
    Some(MediaTime::from_micros(time.useconds()))
}

fn video_callbacks(lanes: &Arc<Lanes>) -> gst_app::AppSinkCallbacks {
    let (lanes, done) = (Arc::clone(lanes), Arc::clone(lanes));
    let mut next_id = 0;
    gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Flushing)?;
            let capture = time_of(&sample).unwrap_or(MediaTime::ZERO);
            let rgb = frame::rgb_frame(&sample, FrameId(next_id), capture).map_err(|why| {
                lanes.fail(Failure::Damaged(why));
                gst::FlowError::Error
            })?;
            next_id += 1;
            // GStreamer gets its memory back before we wait for room.
            drop(sample);
            lanes.put_frame(rgb).then_some(gst::FlowSuccess::Ok).ok_or(gst::FlowError::Flushing)
        })
        .eos(move |_| done.end_video())
        .build()
}

fn audio_callbacks(lanes: &Arc<Lanes>) -> gst_app::AppSinkCallbacks {
    let (lanes, done) = (Arc::clone(lanes), Arc::clone(lanes));
    let framer = Arc::new(std::sync::Mutex::new((Framer::default(), MediaTime::ZERO)));
    let last = Arc::clone(&framer);
    gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Flushing)?;
            let samples = frame::samples_f32(&sample).map_err(|_| gst::FlowError::Error)?;
            let mut full = Vec::new();
            {
                let mut guard = framer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let (framer, at) = &mut *guard;
                *at = time_of(&sample).unwrap_or(*at);
                framer.push(&samples, *at, &mut |p| full.push(p));
            }
            drop(sample);
            lanes.put_sound(full).then_some(gst::FlowSuccess::Ok).ok_or(gst::FlowError::Flushing)
        })
        .eos(move |_| {
            let mut rest = Vec::new();
            last.lock().unwrap_or_else(std::sync::PoisonError::into_inner).0.flush(&mut |p| rest.push(p));
            done.put_sound(rest);
            done.end_audio();
        })
        .build()
}
