//! A decoded picture on its way to the watcher. What comparing needs is there; its colours are made when somebody looks.
//!
//! Floor 1. In: luma, or an `RgbFrame`. Out: [`Glance`], and [`RgbFrame`] when asked. Loses: nothing.
//! Of the pictures that are compared, four of five are not looked at (`docs/performance.md`): those never become RGB.

use std::fmt;
use std::sync::Arc;

use super::change::Glance;
use super::pixels::{Pixels, Thumb};
use crate::base::{FrameId, MediaTime, RgbFrame};

/// A picture as its decoder left it, that can be had in RGB.
pub trait Develop: Send + Sync {
    /// `height * width * 3` bytes, rows tightly packed, full range, top row first. Takes about a millisecond for 640×480.
    ///
    /// # Errors
    /// Says why it cannot be had.
    fn rgb(&self) -> Result<Arc<[u8]>, String>;
}

/// A decoded picture. Clones share what they hold.
#[derive(Clone)]
pub struct Picture {
    /// Number of the picture in its stream, as of [`RgbFrame::id`].
    pub id: FrameId,
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Capture time on the session clock.
    pub capture: MediaTime,
    glance: Option<Arc<Glance>>,
    colours: Colours,
}

#[derive(Clone)]
enum Colours {
    There(Arc<[u8]>),
    Later(Arc<dyn Develop>),
}

impl Picture {
    /// A picture that has its colours already. One whose bytes do not fit its size is taken, and has nothing to compare.
    #[must_use]
    pub fn of(frame: RgbFrame) -> Self {
        let glance = Pixels::of(&frame).map(|pixels| Arc::new(Glance::of(Thumb::of(&pixels))));
        let RgbFrame { id, width, height, data, capture } = frame;
        Self { id, width, height, capture, glance, colours: Colours::There(data) }
    }

    /// A picture whose colours are made when somebody looks. `thumb`: of its luma.
    #[must_use]
    pub fn later(
        (id, capture): (FrameId, MediaTime),
        (width, height): (u32, u32),
        thumb: Thumb,
        colours: Arc<dyn Develop>,
    ) -> Self {
        let glance = Some(Arc::new(Glance::of(thumb)));
        Self { id, width, height, capture, glance, colours: Colours::Later(colours) }
    }

    /// What it is compared by; nothing where its bytes do not fit its size.
    #[must_use]
    pub const fn glance(&self) -> Option<&Arc<Glance>> {
        self.glance.as_ref()
    }

    /// The picture in RGB.
    ///
    /// # Errors
    /// What its decoder left cannot be converted.
    pub fn frame(&self) -> Result<RgbFrame, String> {
        let data = match &self.colours {
            Colours::There(data) => Arc::clone(data),
            Colours::Later(colours) => colours.rgb()?,
        };
        Ok(RgbFrame { id: self.id, width: self.width, height: self.height, data, capture: self.capture })
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "picture {} of {}×{} at {} ms", self.id.0, self.width, self.height, self.capture.as_millis())
    }
}
