//! GStreamer samples → our own media types. The only place where decoded bytes are copied.

use std::sync::Arc;

use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use crate::base::{FrameId, MediaTime, Pcm, RgbFrame};

/// Copies a packed RGB sample out of GStreamer's memory, without its row padding.
pub(super) fn rgb_frame(sample: &gst::Sample, id: FrameId, capture: MediaTime) -> Result<RgbFrame, String> {
    let (Some(buffer), Some(caps)) = (sample.buffer(), sample.caps()) else {
        return Err("a sample without data".to_owned());
    };
    let info = gst_video::VideoInfo::from_caps(caps).map_err(|e| e.to_string())?;
    if info.format() != gst_video::VideoFormat::Rgb {
        return Err(format!("the graph gives {} instead of RGB", info.format()));
    }
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info).map_err(|e| e.to_string())?;
    let plane = frame.plane_data(0).map_err(|e| e.to_string())?;
    let row = info.width() as usize * 3;
    let stride = usize::try_from(frame.plane_stride()[0]).map_err(|_| "a negative stride".to_owned())?;
    let total = row * info.height() as usize;
    let data: Arc<[u8]> = if stride == row {
        plane.get(..total).ok_or("a short plane")?.into()
    } else {
        // `repeat_n` knows its length, so this is one allocation of the final size.
        let mut data: Arc<[u8]> = std::iter::repeat_n(0, total).collect();
        let Some(target) = Arc::get_mut(&mut data) else { return Err("a fresh allocation that is shared".to_owned()) };
        for (to, from) in target.chunks_exact_mut(row).zip(plane.chunks(stride)) {
            to.copy_from_slice(from.get(..row).ok_or("a short row")?);
        }
        data
    };
    Ok(RgbFrame { id, width: info.width(), height: info.height(), data, capture })
}

/// Copies 32-bit samples (the graph ends in F32LE, one channel) out of GStreamer's memory.
pub(super) fn samples_f32(sample: &gst::Sample) -> Result<Vec<f32>, String> {
    let map = sample.buffer().ok_or("a sample without data")?.map_readable().map_err(|e| e.to_string())?;
    Ok(map.chunks_exact(4).map(|b| Pcm::sane(f32::from_le_bytes([b[0], b[1], b[2], b[3]]))).collect())
}

/// The time on the buffer.
pub(super) fn pts_ns(sample: &gst::Sample) -> Option<u64> {
    sample.buffer()?.pts().map(gst::ClockTime::nseconds)
}
