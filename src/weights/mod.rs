//! Which weights, from where; fetched, verified, converted, and found again.
//!
//! Floor 2. In: `manifest.toml`, a models folder, sources that need not be trusted. Out: paths of files whose size and SHA-256 are the
//! declared ones. Loses: nothing; a file that fails its hash is deleted and fetched from the next source.
//!
//! Layout: `<models folder>/<model>/<file>`, and beside the files a `verified.json` that remembers size, time and hash of each,
//! so that a second start does not read half a gigabyte again.

mod digest;
mod error;
mod fetch;
mod hub;
mod local;
mod manifest;
mod package;
mod progress;
mod pull;
mod store;

pub use digest::Digest;
pub use error::{Attempt, WeightsError};
pub use local::entry;
pub use manifest::{Artefact, Converted, Manifest, Model, Role, Source};
pub use progress::{Progress, Silent};
pub use pull::{Conversion, Converter, PullOptions, Pulled, Puller, free_bytes};
pub use store::{FileReport, FileState, ModelState, Store};
