//! What decodebin may plug in, and how its pads meet our two chains.

use std::sync::Arc;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;

use super::lanes::{Failure, Lanes};

/// Demuxers by name: a demuxer decides what is read next, and some (playlists, SDP) would read from the network.
const DEMUXERS: &[&str] = &[
    "matroskademux",
    "qtdemux",
    "oggdemux",
    "wavparse",
    "avidemux",
    "flvdemux",
    "aiffparse",
    "tsdemux",
    "mpegpsdemux",
    "id3demux",
];
/// Software decoders by name; besides them all of libav (`avdec_*`).
const DECODERS: &[&str] = &[
    "vp8dec",
    "vp9dec",
    "av1dec",
    "dav1ddec",
    "openh264dec",
    "theoradec",
    "jpegdec",
    "pngdec",
    "opusdec",
    "vorbisdec",
    "flacdec",
    "mpg123audiodec",
    "mulawdec",
    "alawdec",
    "adpcmdec",
];
/// The largest picture read from a file, in pixels a side.
const MAX_SIDE: i32 = 4096;

/// `GST_AUTOPLUG_SELECT_TRY` and `_SKIP`; the enum is private to the plugin, so its values are named by number.
const TRY: i32 = 0;
const SKIP: i32 = 2;

fn welcome(factory: &gst::ElementFactory) -> bool {
    let name = factory.name();
    let class = factory.metadata("klass").unwrap_or_default();
    let is = |part: &str| class.split('/').any(|p| p == part);
    if is("Hardware") || is("Network") {
        return false;
    }
    DEMUXERS.contains(&name.as_str())
        || DECODERS.contains(&name.as_str())
        || (name.starts_with("avdec_") && is("Decoder"))
        || is("Parser")
}

/// Connects decodebin's signals.
pub(super) fn connect(decode: &gst::Element, video_in: &gst::Element, audio_in: &gst::Element, lanes: &Arc<Lanes>) {
    decode.connect("autoplug-select", false, |args| {
        let factory = args.get(3).and_then(|v| v.get::<gst::ElementFactory>().ok());
        let verdict = if factory.is_some_and(|f| welcome(&f)) { TRY } else { SKIP };
        let class = glib::Type::from_name("GstAutoplugSelectResult").and_then(glib::EnumClass::with_type)?;
        class.to_value(verdict)
    });
    let (video, audio, on_pad) = (video_in.downgrade(), audio_in.downgrade(), Arc::clone(lanes));
    decode.connect_pad_added(move |_, pad| {
        let Some(caps) = pad.current_caps() else { return };
        let Some(s) = caps.structure(0) else { return };
        let is_video = s.name() == "video/x-raw";
        if is_video && !small_enough(s, &on_pad) || !is_video && s.name() != "audio/x-raw" {
            return;
        }
        let chain = if is_video { video.upgrade() } else { audio.upgrade() };
        // A second stream of the same kind stays unlinked; decodebin copes with that.
        let Some(input) = chain.and_then(|c| c.static_pad("sink")).filter(|p| !p.is_linked()) else { return };
        if is_video {
            on_pad.begin_video();
        } else {
            on_pad.begin_audio();
        }
        if let Err(e) = pad.link(&input) {
            on_pad.fail(Failure::Damaged(format!("a stream of {} does not fit: {e}", s.name())));
        }
    });
    let known = Arc::clone(lanes);
    decode.connect_no_more_pads(move |_| known.streams_known());
    let unknown = Arc::clone(lanes);
    decode.connect("unknown-type", false, move |args| {
        let caps = args.get(2).and_then(|v| v.get::<gst::Caps>().ok());
        let name = caps.as_ref().and_then(|c| c.structure(0)).map(|s| s.name().to_string());
        unknown.add_undecodable(name.unwrap_or_else(|| "an unknown format".to_owned()));
        None
    });
}

/// Whether a demuxer has stopped reading without ever showing a stream. With GStreamer 1.22 the error of a demuxer that fails in the very
/// moment of being plugged in often never reaches the bus (half of our runs on a truncated file), so nobody says it.
pub(super) fn demuxer_gave_up(pipeline: &gst::Pipeline) -> bool {
    let is_demuxer = |e: &gst::Element| {
        e.factory().is_some_and(|f| f.metadata("klass").is_some_and(|k| k.split('/').any(|p| p == "Demuxer")))
    };
    pipeline.iterate_recurse().into_iter().flatten().any(|e| {
        let Some(sink) = e.static_pad("sink") else { return false };
        is_demuxer(&e)
            && e.num_src_pads() == 0
            && sink.mode() == gst::PadMode::Pull
            && sink.task_state() != gst::TaskState::Started
    })
}

fn small_enough(s: &gst::StructureRef, lanes: &Lanes) -> bool {
    for what in ["width", "height"] {
        let got = s.get::<i32>(what).unwrap_or(0);
        if got > MAX_SIDE {
            lanes.fail(Failure::TooLarge {
                what,
                got: got.unsigned_abs().into(),
                allowed: MAX_SIDE.unsigned_abs().into(),
            });
            return false;
        }
    }
    true
}
