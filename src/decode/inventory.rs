//! What this machine can decode, found out at start-up.

use gstreamer as gst;

use crate::base::Codec;

use super::graph::{Graph, GraphName};
use super::{DecodeConfig, DecodeError, init};

const CODECS: [Codec; 5] = [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1, Codec::Opus];

/// Which graphs can be built here, and why the others cannot.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// GStreamer's own version text.
    pub version: String,
    /// Codecs whose graph can be built: negotiate only these.
    pub available: Vec<Codec>,
    /// Each codec that cannot be decoded, with the reason and remedy.
    pub unavailable: Vec<(Codec, DecodeError)>,
    /// Why recorded files cannot be read, if they cannot.
    pub file: Option<DecodeError>,
    /// Why the voice cannot be sent on a media track, if it cannot.
    pub voice: Option<DecodeError>,
}

impl Inventory {
    /// Whether `codec` can be decoded here.
    #[must_use]
    pub fn has(&self, codec: Codec) -> bool {
        self.available.contains(&codec)
    }
}

/// Reads and builds every graph once. Blocks (plugin registry, first use of each plugin): call it at start-up, not on a tokio worker.
///
/// # Errors
/// GStreamer does not start, or the graph of VP8 or Opus, which every client uses, cannot be built. The message names the graph, the
/// element, its plugin and the Debian package.
pub fn check(cfg: &DecodeConfig) -> Result<Inventory, DecodeError> {
    init()?;
    let mut inventory = Inventory {
        version: gst::version_string().to_string(),
        available: Vec::new(),
        unavailable: Vec::new(),
        file: None,
        voice: None,
    };
    for codec in CODECS {
        match probe(GraphName::Codec(codec), cfg) {
            Ok(()) => inventory.available.push(codec),
            Err(e) if matches!(codec, Codec::Vp8 | Codec::Opus) => return Err(e),
            Err(e) => inventory.unavailable.push((codec, e)),
        }
    }
    inventory.file = probe(GraphName::File, cfg).err();
    inventory.voice = probe(GraphName::Voice, cfg).err();
    Ok(inventory)
}

fn probe(name: GraphName, cfg: &DecodeConfig) -> Result<(), DecodeError> {
    // The pipeline stays in state Null: nothing is to be stopped before it is dropped.
    Graph::load(name, cfg)?.build().map(drop)
}
