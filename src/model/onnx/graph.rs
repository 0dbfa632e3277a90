//! One loaded ONNX graph and the threads it runs on: in rten, or a net on our own kernels (`convnet`).
//!
//! Floor 2. In: a file, f32 tensors. Out: f32 tensors. Loses: nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rten::{Dimension, Model, ModelOptions, NodeId, RunOptions, ThreadPool, ValueOrView};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;
use thiserror::Error;

use crate::base::ErrorClass;
use crate::model::convnet::Net;
use crate::model::file::{Unread, read_bounded};
use crate::model::onnx_file;
use crate::model::protobuf::Broken;

/// Weights that cannot be used.
#[derive(Debug, Error)]
pub enum OnnxError {
    /// The file is not there or cannot be read.
    #[error("cannot read the weights {path}: {reason}; get them with `sightline models pull`", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The file is truncated, corrupt or far too large.
    #[error("the weights {path} are damaged: {reason}; check them with `sightline models verify`", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A whole and valid file, but of another model.
    #[error("the weights {path} are of another model than the {expert} needs: {reason}", path = path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// Who needs them.
        expert: &'static str,
        /// Expected and got.
        reason: String,
    },
}

impl OnnxError {
    /// How an edge should treat it.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        ErrorClass::Unavailable
    }
}

/// The worker threads of all graphs that share it. Two busy threads beside other work are slower than one,
/// so whoever wires the process decides once.
#[derive(Debug, Clone)]
pub struct Threads {
    pool: Arc<ThreadPool>,
    count: usize,
}

impl Threads {
    /// A pool of `count` threads, at least one.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let count = count.clamp(1, 64);
        Self { pool: Arc::new(ThreadPool::with_num_threads(count)), count }
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

/// Larger files than this are not ours.
const MOST_BYTES: u64 = 1 << 30;

/// The bytes of a file of weights.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, OnnxError> {
    let damaged = |bytes: u64| OnnxError::Damaged { path: path.into(), reason: format!("it has {bytes} bytes") };
    let data = read_bounded(path, MOST_BYTES).map_err(|e| match e {
        Unread::Io(e) => OnnxError::Unreadable { path: path.into(), reason: e.to_string() },
        Unread::TooLarge(bytes) => damaged(bytes),
    })?;
    if data.is_empty() { Err(damaged(0)) } else { Ok(data) }
}

/// A convolutional net on our own kernels, out of an ONNX file.
pub(super) fn load_net(path: &Path, expert: &'static str, threads: &Threads) -> Result<Net, OnnxError> {
    net_of(&read(path)?, path, expert, threads)
}

/// The same from the bytes of the file; `path` is named in errors.
pub(super) fn net_of(data: &[u8], path: &Path, expert: &'static str, threads: &Threads) -> Result<Net, OnnxError> {
    let graph = onnx_file::Graph::read(data)
        .map_err(|Broken| OnnxError::Damaged { path: path.into(), reason: "this is not a whole ONNX file".into() })?;
    Net::build(&graph, threads.count()).map_err(|reason| OnnxError::Other { path: path.into(), expert, reason })
}

/// A loaded graph with one f32 input.
pub(super) struct Graph {
    path: PathBuf,
    model: Model,
    input: NodeId,
    outputs: Vec<NodeId>,
    threads: Threads,
}

/// One tensor that a graph gave.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) shape: Vec<usize>,
    pub(super) data: Vec<f32>,
}

impl Graph {
    /// Loads `path`; `outputs` names the tensors wanted, or none for the first output of the graph.
    pub(super) fn load(
        path: &Path,
        expert: &'static str,
        outputs: &[&str],
        threads: &Threads,
    ) -> Result<Self, OnnxError> {
        Self::from_bytes(read(path)?, path, expert, outputs, threads)
    }

    /// The same from the bytes of an ONNX file; `path` is named in errors.
    pub(super) fn from_bytes(
        data: Vec<u8>,
        path: &Path,
        expert: &'static str,
        outputs: &[&str],
        threads: &Threads,
    ) -> Result<Self, OnnxError> {
        let damaged = |reason: String| OnnxError::Damaged { path: path.into(), reason };
        let model =
            ModelOptions::with_all_ops().prepack_weights(true).load(data).map_err(|e| damaged(e.to_string()))?;
        let other = |reason: String| OnnxError::Other { path: path.into(), expert, reason };
        let input = *model.input_ids().first().ok_or_else(|| other("it has no input".into()))?;
        let outputs: Vec<NodeId> = if outputs.is_empty() {
            model.output_ids().iter().take(1).copied().collect()
        } else {
            outputs
                .iter()
                .map(|name| model.node_id(name).map_err(|_| other(format!("it has no output {name:?}"))))
                .collect::<Result<_, _>>()?
        };
        if outputs.is_empty() {
            return Err(other("it has no output".into()));
        }
        Ok(Self { path: path.into(), model, input, outputs, threads: threads.clone() })
    }

    /// The sizes of the input; `None` where any size goes.
    pub(super) fn input_shape(&self) -> Vec<Option<usize>> {
        let fixed = |d: Dimension| match d {
            Dimension::Fixed(n) => Some(n),
            Dimension::Symbolic(_) => None,
        };
        self.model.input_shape(0).unwrap_or_default().into_iter().map(fixed).collect()
    }

    /// A text stored beside the graph.
    pub(super) fn metadata(&self, key: &str) -> Option<&str> {
        self.model.metadata().get(key)
    }

    /// An error that says that this file holds another model.
    pub(super) fn other(&self, expert: &'static str, reason: String) -> OnnxError {
        OnnxError::Other { path: self.path.clone(), expert, reason }
    }

    /// The value named `name`.
    pub(super) fn node(&self, name: &str, expert: &'static str) -> Result<NodeId, OnnxError> {
        self.model.node_id(name).map_err(|_| self.other(expert, format!("it has no input {name:?}")))
    }

    /// Runs the graph on one tensor (batch, channels, rows, columns).
    pub(super) fn run(&self, shape: [usize; 4], data: Vec<f32>) -> Result<Vec<Output>, String> {
        let want: usize = shape.iter().product();
        if data.len() != want {
            return Err(format!("this is a bug: {} values for shape {shape:?}", data.len()));
        }
        let tensor = NdTensor::from_data(shape, data);
        self.run_with(vec![(self.input, ValueOrView::from(tensor))])
    }

    /// Runs the graph on inputs of any kind; the outputs are the ones asked for at loading.
    pub(super) fn run_with(&self, inputs: Vec<(NodeId, ValueOrView<'_>)>) -> Result<Vec<Output>, String> {
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.threads.pool)));
        let values = self.model.run(inputs, &self.outputs, Some(options)).map_err(|e| e.to_string())?;
        let unpack = |value: rten::Value| {
            let tensor = value.into_tensor::<f32>().ok_or_else(|| "an output is not of f32".to_owned())?;
            Ok(Output { shape: tensor.shape().to_vec(), data: tensor.into_data() })
        };
        values.into_iter().map(unpack).collect()
    }
}
