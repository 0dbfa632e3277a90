//! The graph of Kokoro (StyleTTS 2 family): symbols to sound.

use std::path::Path;

use rten::NodeId;
use rten_tensor::NdTensor;

use super::graph::{Graph, OnnxError, Threads};

const EXPERT: &str = "voice";
/// Frames of each symbol, before they are laid out in time. Not an output of the export, but a value of the graph all the same.
const DURATIONS: &str = "/encoder/Clip_output_0";
/// Numbers in a style.
pub const STYLE_SIZE: usize = 256;

/// What the graph gave for one run.
#[derive(Debug)]
pub struct Spoken {
    /// Mono, at 24 kHz.
    pub samples: Vec<f32>,
    /// Frames of 25 ms for each number given, the two silences at the ends included.
    pub frames: Vec<f32>,
}

/// Kokoro, loaded.
pub struct Speaker {
    graph: Graph,
    inputs: [NodeId; 3],
}

impl Speaker {
    /// Loads the graph from `path`.
    ///
    /// # Errors
    /// [`OnnxError`] when the file is missing, damaged, or of another model.
    pub fn load(path: &Path, threads: &Threads) -> Result<Self, OnnxError> {
        let graph = Graph::load(path, EXPERT, &["waveform", DURATIONS], threads)?;
        let [ids, style, speed] = ["input_ids", "style", "speed"].map(|name| graph.node(name, EXPERT));
        Ok(Self { inputs: [ids?, style?, speed?], graph })
    }

    /// Speaks symbols by their numbers, with the silence (0) at both ends, in a style of [`STYLE_SIZE`] numbers.
    ///
    /// # Errors
    /// The library's words, when it cannot run the graph on them.
    pub fn run(&self, symbols: Vec<i32>, style: &[f32], speed: f32) -> Result<Spoken, String> {
        if style.len() != STYLE_SIZE {
            return Err(format!("this is a bug: a style of {} numbers", style.len()));
        }
        let [ids, style_id, speed_id] = self.inputs;
        let inputs = vec![
            (ids, NdTensor::from_data([1, symbols.len()], symbols).into()),
            (style_id, NdTensor::from_data([1, STYLE_SIZE], style.to_vec()).into()),
            (speed_id, NdTensor::from_data([1], vec![speed]).into()),
        ];
        let mut outputs = self.graph.run_with(inputs)?.into_iter();
        match (outputs.next(), outputs.next()) {
            (Some(sound), Some(frames)) => Ok(Spoken { samples: sound.data, frames: frames.data }),
            _ => Err("it gave less than two tensors".to_owned()),
        }
    }
}
