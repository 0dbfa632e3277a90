//! The vocabulary every stage shares: ids, time, media, boxes, loss reasons, error classes.
//!
//! Floor 0. Uses `std` and `bytes` only; reads no clock, starts no task.

pub mod brake;
pub mod class;
pub mod geometry;
pub mod id;
pub mod loss;
pub mod media;
pub mod time;

pub use brake::Brake;
pub use class::ErrorClass;
pub use geometry::BBox;
pub use id::{ClientId, FrameId, SessionId};
pub use loss::LossReason;
pub use media::{AccessUnit, Codec, Layer, Pcm, RgbFrame};
pub use time::{Clock, ManualClock, MediaTime};
