//! The net of the detector: on our own kernels, or in f32 through rten where a file holds operators that those do not know (exports of one model differ).
//!
//! Floor 2. In: a square picture. Out: rows of numbers, one for each box. Loses: nothing. What rten computes cannot be broken off.

use std::path::Path;

use super::graph::{Graph, OnnxError, Threads, net_of, read};
use crate::base::Brake;
use crate::model::convnet::Net;
use crate::watch::DETECTOR;

/// Either.
pub(super) enum Boxes {
    Own(Net),
    Foreign {
        graph: Graph,
        /// What came out last.
        seen: Vec<f32>,
    },
}

impl Boxes {
    pub(super) fn load(file: &Path, threads: &Threads) -> Result<Self, OnnxError> {
        Self::from_bytes(read(file)?, file, threads)
    }

    /// The same from the bytes of `file`, which is named in errors.
    pub(super) fn from_bytes(data: Vec<u8>, file: &Path, threads: &Threads) -> Result<Self, OnnxError> {
        match net_of(&data, file, DETECTOR, threads) {
            Ok(net) => Ok(Self::Own(net)),
            Err(OnnxError::Other { reason, .. }) => {
                let graph = Graph::from_bytes(data, file, DETECTOR, &[], threads)?;
                tracing::warn!(reason, file = %file.display(), "the detector runs in f32, slower, and is not broken off for answers");
                Ok(Self::Foreign { graph, seen: Vec::new() })
            }
            Err(e) => Err(e),
        }
    }

    /// The side of the square picture that it takes, and the numbers of a box where they are known.
    pub(super) fn shape(&self) -> Result<(usize, Option<usize>), String> {
        let (channels, size, values) = match self {
            Self::Own(net) => (Some(net.channels()), net.size(), Some(net.channels_out())),
            Self::Foreign { graph, .. } => match graph.input_shape().as_slice() {
                [_, channels, Some(h), Some(w)] => (*channels, Some((*h, *w)), None),
                shape => return Err(format!("expected a square picture, got {shape:?}")),
            },
        };
        match (channels, size) {
            (Some(3), Some((h, w))) if h == w && h % 32 == 0 && (32..=1280).contains(&h) => Ok((h, values)),
            (Some(3), size) => Err(format!("expected a square picture, got {size:?}")),
            (n, _) => Err(format!("expected a picture of 3 colours, got {n:?}")),
        }
    }

    /// Whether it takes pictures of other sides than the file says.
    pub(super) fn takes_any(&self) -> bool {
        matches!(self, Self::Own(_))
    }

    /// The numbers of all boxes of a picture of so many rows and columns that `paint` writes, channels last; nothing where it was broken off.
    pub(super) fn run(
        &mut self,
        (rows, columns): (usize, usize),
        paint: impl FnOnce(&mut [f32]),
    ) -> Result<Option<&[f32]>, String> {
        match self {
            Self::Own(net) => Ok(net.run((rows, columns), paint)?.map(|seen| seen.data)),
            Self::Foreign { graph, seen } => {
                let mut picture = vec![0.0; 3 * rows * columns];
                paint(&mut picture);
                let planes = (0..3).flat_map(|c| picture.iter().skip(c).step_by(3).copied()).collect();
                *seen = graph.run([1, 3, rows, columns], planes)?.pop().ok_or("no output")?.data;
                Ok(Some(seen))
            }
        }
    }

    /// The look is done.
    pub(super) fn forget(&mut self) {
        if let Self::Own(net) = self {
            net.forget();
        }
    }

    pub(super) fn obey(&mut self, brake: Brake) {
        if let Self::Own(net) = self {
            net.brake = brake;
        }
    }
}
