//! What the actor does with answers beside their words: those begun before their turn is over, those said aloud, and those held back.

use tokio::sync::mpsc;

use super::actor::Actor;
use super::player::{PlayCommand, count_lost};
use super::work;
use crate::base::LossReason;
use crate::dialogue::{GuessOrder, HoldOrder, Output};

impl Actor {
    /// An answer is begun before the turn is over, or what becomes of it.
    pub(super) fn on_guess(&mut self, order: GuessOrder) {
        match order {
            GuessOrder::Begin { work_id, prompt, max_tokens } => {
                let wanted = self.ended.child_token();
                self.wanted = Some(wanted.clone());
                self.generate(work::Answer { response_id: work_id, prompt, max_tokens, wanted: Some(wanted) });
            }
            GuessOrder::Adopt { .. } => {
                if let Some(wanted) = self.wanted.take() {
                    wanted.cancel();
                    self.engine.wake();
                }
                work::count_guess("used");
            }
            GuessOrder::Discard { work_id } => {
                if let Some(token) = self.answers.remove(&work_id) {
                    token.cancel();
                }
                work::count_guess("discarded");
            }
        }
    }

    /// What has to do with answers said aloud.
    pub(super) fn aloud(&mut self, output: Output) {
        match output {
            Output::Speak { response_id, piece, text, speed, format } => {
                let token = self.ended.child_token();
                self.voices.insert(response_id.clone(), token.clone());
                self.worker.speak(work::Piece { response_id, piece, text, speed, format }, token);
            }
            Output::Silence { response_id } => {
                if let Some(token) = self.voices.remove(&response_id) {
                    token.cancel();
                }
            }
            Output::Play { id, sound } => self.play(PlayCommand::Play { id, sound }),
            Output::Hush => self.play(PlayCommand::Hush),
            Output::FirstSound { after } => {
                metrics::histogram!("sightline_first_sound_seconds").record(after.as_secs_f64());
            }
            Output::VoiceLost(loss) => {
                metrics::counter!("sightline_voice_lost_total", "reason" => loss.label()).increment(1);
            }
            _ => {}
        }
    }

    /// An answer stands still, or goes on.
    pub(super) fn hold(&self, order: HoldOrder) {
        match order {
            HoldOrder::Begin => self.play(PlayCommand::Hold(true)),
            HoldOrder::End { .. } => self.play(PlayCommand::Hold(false)),
            HoldOrder::Stopped { .. } => {}
        }
        work::count_hold(order);
    }

    fn play(&self, command: PlayCommand) {
        let Some(player) = &self.player else { return };
        // The conversation asks for a few sentences ahead of the ear, so there is room; a player that is gone goes with its session.
        if let Err(mpsc::error::TrySendError::Full(_)) = player.try_send(command) {
            count_lost(LossReason::VoiceBehind);
        }
    }
}
