//! What can go wrong in decoding, and what to do about it.

use std::path::PathBuf;

use thiserror::Error;

use crate::base::{Codec, ErrorClass};

/// An error of the decode stage. Bad data in a live session is not one: it is counted, and decoding goes on.
#[derive(Debug, Clone, Error)]
pub enum DecodeError {
    /// GStreamer itself does not start.
    #[error("gstreamer does not start: {why}; install libgstreamer1.0-0 and look at GST_PLUGIN_PATH")]
    Init {
        /// What GStreamer said.
        why: String,
    },
    /// A graph file is not there or cannot be read.
    #[error("decode graph {graph} cannot be read from {path:?}: {why}")]
    GraphUnreadable {
        /// `vp8`, `opus`, `file` …
        graph: String,
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// A graph file breaks the grammar of `pipelines/README.md`.
    #[error("decode graph {graph} is wrong: {why}; see pipelines/README.md")]
    BadGraph {
        /// Which graph.
        graph: String,
        /// What is wrong with it.
        why: String,
    },
    /// A graph uses an element that is not on the allow-list.
    #[error(
        "decode graph {graph} uses element {element}, which is not allowed; allowed elements are listed in pipelines/README.md"
    )]
    ElementRefused {
        /// Which graph.
        graph: String,
        /// The element.
        element: String,
    },
    /// GStreamer lacks an element of a graph.
    #[error(
        "decode graph {graph} needs element {element} of the gstreamer plugin {plugin}; install it with: apt-get install {package}"
    )]
    ElementMissing {
        /// Which graph.
        graph: String,
        /// The element.
        element: String,
        /// Its GStreamer plugin.
        plugin: String,
        /// The Debian package of that plugin.
        package: String,
    },
    /// A graph was built but does not start.
    #[error("decode graph {graph} does not start: {why}")]
    Start {
        /// Which graph.
        graph: String,
        /// What GStreamer said.
        why: String,
    },
    /// A codec was asked of the decoder of the other kind.
    #[error("{} is not a codec of this decoder", .0.name())]
    WrongKind(Codec),
    /// No such file.
    #[error("file {0:?} does not exist")]
    FileMissing(PathBuf),
    /// The file cannot be opened, or is a folder.
    #[error("file {path:?} cannot be read: {why}")]
    FileUnreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// Nothing in it.
    #[error("file {0:?} is empty")]
    FileEmpty(PathBuf),
    /// Not media that this machine can take apart.
    #[error("file {path:?} is not a video, sound or picture that gstreamer can decode here: {why}")]
    NotMedia {
        /// Which file.
        path: PathBuf,
        /// What GStreamer said.
        why: String,
    },
    /// It breaks off or is damaged.
    #[error("file {path:?} is damaged or cut short: {why}")]
    FileDamaged {
        /// Which file.
        path: PathBuf,
        /// What GStreamer said.
        why: String,
    },
    /// The stream that the caller cannot do without is not in the file.
    #[error("file {path:?} has no {kind} stream")]
    NoStream {
        /// Which file.
        path: PathBuf,
        /// `video` or `audio`.
        kind: &'static str,
    },
    /// The stream is there, but in a codec that nothing installed decodes.
    #[error(
        "file {path:?} has {kind} in {codec}, which no installed gstreamer plugin decodes; gstreamer1.0-libav decodes most"
    )]
    NoDecoder {
        /// Which file.
        path: PathBuf,
        /// `video` or `audio`.
        kind: &'static str,
        /// GStreamer's media type.
        codec: String,
    },
    /// GStreamer was silent for too long.
    #[error("file {path:?} gave nothing for {seconds} s; it may be damaged")]
    FileStalled {
        /// Which file.
        path: PathBuf,
        /// How long we waited.
        seconds: u64,
    },
    /// Bytes that should be a JPEG or PNG picture are not.
    #[error("picture cannot be decoded: {why}; send a JPEG or PNG")]
    BadPicture {
        /// What is wrong.
        why: String,
    },
    /// A picture beyond the declared limits.
    #[error("picture is too large: {what} {got}, allowed {allowed}")]
    PictureTooLarge {
        /// Which limit: `bytes`, `width`, `height`, `pixels`.
        what: &'static str,
        /// What it has.
        got: u64,
        /// What is allowed.
        allowed: u64,
    },
    /// A sample rate that we do not convert from.
    #[error("sample rate {got} Hz is not supported; use a multiple of 25 from {min} to {max} Hz", min = super::resample::MIN_RATE_HZ, max = super::resample::MAX_RATE_HZ)]
    BadRate {
        /// The rate asked for.
        got: u32,
    },
    /// A broken invariant of ours.
    #[error("this is a bug in the decode stage: {0}")]
    Bug(String),
}

impl DecodeError {
    /// What sort of failure this is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Init { .. }
            | Self::GraphUnreadable { .. }
            | Self::BadGraph { .. }
            | Self::ElementRefused { .. }
            | Self::ElementMissing { .. }
            | Self::Start { .. } => ErrorClass::Unavailable,
            Self::WrongKind(_) | Self::NoDecoder { .. } | Self::NotMedia { .. } | Self::BadRate { .. } => {
                ErrorClass::Unsupported
            }
            Self::FileMissing(_) => ErrorClass::NotFound,
            Self::FileUnreadable { .. }
            | Self::FileEmpty(_)
            | Self::FileDamaged { .. }
            | Self::NoStream { .. }
            | Self::FileStalled { .. }
            | Self::BadPicture { .. } => ErrorClass::Invalid,
            Self::PictureTooLarge { .. } => ErrorClass::TooLarge,
            Self::Bug(_) => ErrorClass::Internal,
        }
    }
}
