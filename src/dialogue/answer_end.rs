//! What is told when an answer ends: where its time went, and how it stands.

use std::time::Duration;

use super::answer::{Answer, Ending};
use super::conversation::Conversation;
use super::{Output, patience};
use crate::budget::{Mark, Overrun, Stage, Timings};
use crate::wire::{ItemStatus, Latency, ResponseStatus, ResponseView, ServerBody, StageBudgets, StatusDetails, Usage};

impl Conversation {
    /// Where the time went, and what that means for the next answers.
    pub(crate) fn account(&mut self, answer: &Answer, out: &mut Vec<Output>) {
        if !answer.timing.ended(Stage::Total) {
            return;
        }
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let of = |stage| millis(self.deadlines.of(stage));
        let (t, budget_ms) = (answer.timing.timings(), of(Stage::Total));
        let latency = Latency {
            vad_end_ms: t.millis(Stage::VadEnd),
            asr_ms: t.millis(Stage::Asr),
            recall_ms: t.millis(Stage::Recall),
            perceive_ms: t.millis(Stage::Perceive),
            prefill_ms: t.millis(Stage::Prefill),
            first_token_ms: t.millis(Stage::FirstToken),
            total_ms: t.millis(Stage::Total),
            first_words_ms: answer.timing.reached(Mark::FirstWords).map(millis),
            budget_ms,
            budgets_ms: StageBudgets {
                vad_end: of(Stage::VadEnd),
                asr: of(Stage::Asr),
                recall: of(Stage::Recall),
                perceive: of(Stage::Perceive),
                prefill: of(Stage::Prefill),
                first_token: of(Stage::FirstToken),
            },
        };
        self.send_vendor(ServerBody::Latency { response_id: answer.id.clone(), latency }, out);
        let no_look = t.of(Stage::Perceive).is_none().then(|| answer.no_look());
        out.push(Output::Timed(answer.id.clone(), answer.timing, no_look));
        let waited = self.waited_for_person(&t);
        let over = |o: &Overrun| waited.is_zero() || o.took.saturating_sub(waited) > o.deadline;
        let overruns: Vec<_> = answer.timing.overruns(&self.deadlines).into_iter().filter(over).collect();
        out.extend(overruns.iter().copied().map(Output::Overrun));
        if let Some(moved) = self.ladder.turn(latency.total_ms.unwrap_or(0).saturating_sub(millis(waited)), budget_ms) {
            out.push(Output::Degrade { step: moved.to });
            let slowest = overruns.iter().filter(|o| o.stage != Stage::Total).max_by_key(|o| o.took - o.deadline);
            let reason = match (moved.to > moved.from, slowest) {
                (true, Some(o)) => format!("{}_over_budget", o.stage.label()),
                (true, None) => "total_over_budget".to_owned(),
                (false, _) => "recovered".to_owned(),
            };
            let step = moved.to.label().to_owned();
            self.send_vendor(ServerBody::Degraded { response_id: Some(answer.id.clone()), reason, step }, out);
        }
    }

    /// Silence that was left to somebody in mid-thought: nothing given up would have shortened it.
    fn waited_for_person(&self, timings: &Timings) -> Duration {
        let asked = patience(self.config.audio.input.turn_detection.as_ref()).and(timings.of(Stage::VadEnd));
        asked.map_or(Duration::ZERO, |took| took.saturating_sub(self.deadlines.vad_end))
    }

    pub(crate) fn response_view(&self, answer: &Answer, ending: &Ending) -> ResponseView {
        let status = ending.status;
        let done = status != ResponseStatus::InProgress;
        let whole = status == ResponseStatus::Completed;
        let item_status = if whole { ItemStatus::Completed } else { ItemStatus::Incomplete };
        let output = ending.output_tokens.unwrap_or(answer.deltas);
        ResponseView {
            object: "realtime.response",
            id: answer.id.clone(),
            status,
            status_details: (done && !whole).then(|| StatusDetails {
                kind: status,
                reason: ending.reason,
                error: ending.error.clone(),
            }),
            output: if done { answer.output(item_status) } else { Vec::new() },
            conversation_id: answer.in_conversation.then(|| self.conversation_id.clone()),
            output_modalities: [answer.modality()],
            max_output_tokens: answer.max_tokens,
            usage: done.then(|| {
                let sound_ms = answer.voicing.as_ref().map_or(0, |v| v.said.ms);
                Usage::text(answer.input_tokens, answer.cached_tokens, output).spoken(sound_ms)
            }),
            metadata: answer.metadata.clone(),
        }
    }
}
