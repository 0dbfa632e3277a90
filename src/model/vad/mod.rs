//! Voice activity by earshot, a small recurrent network in pure Rust.
//!
//! Floor 2. In: frames of 256 samples (16 ms). Out: probability of speech. Loses: nothing.

use earshot::Detector;

use crate::base::Pcm;
use crate::listen::SpeechProbability;

/// Samples in one frame: 16 ms.
const FRAME_SAMPLES: usize = 256;

/// So many frames of nothing at all, and the detector remembers next to nothing else (its state fades, by a thousandth of a probability that is left): four seconds.
const SETTLED: u32 = 250;

/// One speaker's voice detector. It remembers some frames, so every stream needs its own. Of a microphone that is muted only the beginning is looked at.
pub struct EarshotVad {
    detector: Box<Detector>,
    /// Frames in a row that hold nothing, and what was thought of the last one.
    empty: u32,
    of_nothing: f32,
}

impl EarshotVad {
    /// A detector that has heard nothing. The weights are part of the program.
    #[must_use]
    pub fn new() -> Self {
        Self { detector: Box::default(), empty: 0, of_nothing: 0.0 }
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
        let empty = Pcm::is_nothing(frame);
        if empty && self.empty >= SETTLED {
            return self.of_nothing;
        }
        self.empty = if empty { self.empty + 1 } else { 0 };
        // A frame of another length is refused with -1, which clamps to "no speech".
        self.of_nothing = self.detector.predict_f32(frame).clamp(0.0, 1.0);
        self.of_nothing
    }

    fn reset(&mut self) {
        self.empty = 0;
        self.detector.reset();
    }
}

#[cfg(test)]
mod tests;
