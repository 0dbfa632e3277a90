//! Voice activity by earshot, a small recurrent network in pure Rust.
//!
//! Floor 2. In: frames of 256 samples (16 ms). Out: probability of speech. Loses: nothing.

use earshot::Detector;

use crate::listen::SpeechProbability;

/// Samples in one frame: 16 ms.
const FRAME_SAMPLES: usize = 256;

/// One speaker's voice detector. It remembers some frames, so every stream needs its own.
pub struct EarshotVad {
    detector: Box<Detector>,
}

impl EarshotVad {
    /// A detector that has heard nothing. The weights are part of the program.
    #[must_use]
    pub fn new() -> Self {
        Self { detector: Box::default() }
    }
}

impl Default for EarshotVad {
    fn default() -> Self {
        Self::new()
    }
}

impl SpeechProbability for EarshotVad {
    fn frame_samples(&self) -> usize {
        FRAME_SAMPLES
    }

    fn probability(&mut self, frame: &[f32]) -> f32 {
        // A frame of another length is refused with -1, which clamps to "no speech".
        self.detector.predict_f32(frame).clamp(0.0, 1.0)
    }

    fn reset(&mut self) {
        self.detector.reset();
    }
}

#[cfg(test)]
mod tests;
