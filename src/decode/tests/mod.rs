//! Real data through the decoders: clips are encoded by GStreamer inside the tests, decoded by us, and compared.

mod audio;
mod clips;
mod files;
mod graphs;
mod release;
pub(crate) mod silence;
mod video;
