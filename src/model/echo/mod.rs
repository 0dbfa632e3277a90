//! Echo cancellation by sonora, a port of WebRTC's AEC3 in pure Rust.
//!
//! Floor 2. In: blocks of 160 samples (10 ms at 16 kHz), played and heard. Out: what was heard without the echo. Loses: nothing.

use sonora::config::EchoCanceller;
use sonora::{AudioProcessing, Config, StreamConfig};

use crate::listen::EchoCancel;

/// Samples of 10 ms at 16 kHz.
const BLOCK_SAMPLES: usize = 160;

/// One microphone's canceller: about 2 % of one core while sound is played. It finds delays up to half a second.
pub struct Aec3 {
    processing: AudioProcessing,
    spare: [f32; BLOCK_SAMPLES],
}

impl Aec3 {
    /// A canceller that knows nothing of the room yet; it learns within the first second of play-out.
    #[must_use]
    pub fn new() -> Self {
        let config = Config { echo_canceller: Some(EchoCanceller::default()), ..Config::default() };
        let stream = StreamConfig::new(16_000, 1);
        let processing = AudioProcessing::builder().config(config).capture_config(stream).render_config(stream).build();
        Self { processing, spare: [0.0; BLOCK_SAMPLES] }
    }
}

impl Default for Aec3 {
    fn default() -> Self {
        Self::new()
    }
}

impl EchoCancel for Aec3 {
    fn block_samples(&self) -> usize {
        BLOCK_SAMPLES
    }

    fn cancel(&mut self, played: &[f32], heard: &mut [f32]) {
        if played.len() != BLOCK_SAMPLES || heard.len() != BLOCK_SAMPLES {
            return;
        }
        let source: [f32; BLOCK_SAMPLES] = std::array::from_fn(|i| heard[i]);
        // The delay is found, not told: it is that of a network and a loudspeaker we know nothing of.
        let done = self.processing.process_render_f32(&[played], &mut [&mut self.spare]).and_then(|()| {
            let _ = self.processing.set_stream_delay_ms(0);
            self.processing.process_capture_f32(&[&source], &mut [&mut *heard])
        });
        if done.is_err() {
            // Refused blocks are heard as they are.
            heard.copy_from_slice(&source);
        }
    }

    fn enhancement_db(&self) -> Option<f32> {
        #[expect(clippy::cast_possible_truncation, reason = "decibels")]
        self.processing.statistics().echo_return_loss_enhancement.map(|db| db as f32)
    }
}

#[cfg(test)]
mod tests;
