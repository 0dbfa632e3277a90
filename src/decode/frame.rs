//! GStreamer samples → our own media types. The only place where decoded bytes are copied.

use std::sync::{Arc, Mutex, PoisonError};

use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use crate::base::{FrameId, MediaTime, Pcm, RgbFrame};
use crate::watch::{Develop, Picture, Thumb};

/// What a sample holds and of which shape.
fn parts(sample: &gst::Sample) -> Result<(&gst::BufferRef, gst_video::VideoInfo), String> {
    let (Some(buffer), Some(caps)) = (sample.buffer(), sample.caps()) else {
        return Err("a sample without data".to_owned());
    };
    Ok((buffer, gst_video::VideoInfo::from_caps(caps).map_err(|e| e.to_string())?))
}

/// A picture that stays in GStreamer's memory, in I420, until somebody looks at it; `by` makes its colours then. A graph of an operator's own may end in RGB.
pub(super) fn picture(
    sample: gst::Sample,
    id: FrameId,
    capture: MediaTime,
    by: &Arc<Developer>,
) -> Result<Picture, String> {
    let (buffer, info) = parts(&sample)?;
    match info.format() {
        gst_video::VideoFormat::Rgb => Ok(Picture::of(rgb_frame(&sample, id, capture)?)),
        gst_video::VideoFormat::I420 => {
            let thumb = thumb(buffer, &info)?;
            let size = (info.width(), info.height());
            let colours = Undeveloped { sample, by: Arc::clone(by) };
            Ok(Picture::later((id, capture), size, thumb, Arc::new(colours)))
        }
        other => Err(format!("the graph gives {other} instead of I420")),
    }
}

/// The small luma picture of a frame in I420.
fn thumb(buffer: &gst::BufferRef, info: &gst_video::VideoInfo) -> Result<Thumb, String> {
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).map_err(|e| e.to_string())?;
    let plane = frame.plane_data(0).map_err(|e| e.to_string())?;
    let stride = usize::try_from(frame.plane_stride()[0]).map_err(|_| "a negative stride".to_owned())?;
    let full = info.colorimetry().range() == gst_video::VideoColorRange::Range0_255;
    let range = if full { (0.0, 255.0) } else { (16.0, 235.0) };
    Thumb::of_luma(plane, stride, (info.width() as usize, info.height() as usize), range)
        .ok_or_else(|| "a short plane".to_owned())
}

/// Converts pictures of one stream to RGB when they are asked for. Keeps what it needs for pictures of the shape it saw last.
#[derive(Default)]
pub(super) struct Developer(Mutex<Option<(gst_video::VideoInfo, gst_video::VideoConverter)>>);

impl Developer {
    fn rgb(&self, sample: &gst::Sample) -> Result<Arc<[u8]>, String> {
        let (buffer, info) = parts(sample)?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let converter = match kept.take() {
            Some((of, converter)) if of == info => converter,
            _ => gst_video::VideoConverter::new(&info, &as_rgb(&info)?, None).map_err(|e| e.to_string())?,
        };
        let out = converter.out_info();
        let mut made = gst::Buffer::with_size(out.size()).map_err(|e| e.to_string())?;
        let from = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info).map_err(|e| e.to_string())?;
        let made_ref = made.get_mut().ok_or("a fresh buffer that is shared")?;
        let mut to = gst_video::VideoFrameRef::from_buffer_ref_writable(made_ref, out).map_err(|e| e.to_string())?;
        converter.frame_ref(&from, &mut to);
        drop(to);
        let bytes = packed(&made, out)?;
        *kept = Some((info, converter));
        Ok(bytes)
    }
}

/// The same picture in RGB.
fn as_rgb(info: &gst_video::VideoInfo) -> Result<gst_video::VideoInfo, String> {
    gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgb, info.width(), info.height())
        .fps(info.fps())
        .interlace_mode(info.interlace_mode())
        .build()
        .map_err(|e| e.to_string())
}

/// A picture as its decoder left it.
struct Undeveloped {
    sample: gst::Sample,
    by: Arc<Developer>,
}

impl Develop for Undeveloped {
    fn rgb(&self) -> Result<Arc<[u8]>, String> {
        self.by.rgb(&self.sample)
    }
}

/// Copies a packed RGB sample out of GStreamer's memory, without its row padding.
pub(super) fn rgb_frame(sample: &gst::Sample, id: FrameId, capture: MediaTime) -> Result<RgbFrame, String> {
    let (buffer, info) = parts(sample)?;
    if info.format() != gst_video::VideoFormat::Rgb {
        return Err(format!("the graph gives {} instead of RGB", info.format()));
    }
    Ok(RgbFrame { id, width: info.width(), height: info.height(), data: packed(buffer, &info)?, capture })
}

/// The rows of an RGB picture without their padding.
fn packed(buffer: &gst::BufferRef, info: &gst_video::VideoInfo) -> Result<Arc<[u8]>, String> {
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).map_err(|e| e.to_string())?;
    let plane = frame.plane_data(0).map_err(|e| e.to_string())?;
    let row = info.width() as usize * 3;
    let stride = usize::try_from(frame.plane_stride()[0]).map_err(|_| "a negative stride".to_owned())?;
    let total = row * info.height() as usize;
    if stride == row {
        return Ok(plane.get(..total).ok_or("a short plane")?.into());
    }
    // `repeat_n` knows its length, so this is one allocation of the final size.
    let mut data: Arc<[u8]> = std::iter::repeat_n(0, total).collect();
    let Some(target) = Arc::get_mut(&mut data) else { return Err("a fresh allocation that is shared".to_owned()) };
    for (to, from) in target.chunks_exact_mut(row).zip(plane.chunks(stride)) {
        to.copy_from_slice(from.get(..row).ok_or("a short row")?);
    }
    Ok(data)
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
