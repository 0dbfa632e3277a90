//! Turns, the question, the prompt: what to say next.
//!
//! Floor 1. In: client events, speech events, transcripts, `SceneFacts`, engine events ([`Input`]). Out: server events and work for the
//! listener, perception and the engine ([`Output`]). Loses: nothing; what is over a bound is refused with an `error` event or announced as deleted.

mod again;
mod ahead;
mod aloud;
mod answer;
mod answer_end;
mod answer_prompt;
mod answer_words;
mod barge;
mod client;
mod conversation;
mod eyes;
mod frames;
mod ground;
mod ground_more;
mod hold;
mod idle;
mod io;
mod items;
mod look;
mod memory_view;
mod nouns;
mod past_words;
mod pieces;
mod playout;
mod prompt;
mod prompt_build;
mod question;
mod question_rules;
mod reading;
mod recall;
mod recall_turn;
mod recollect;
mod recollect_happened;
mod recollect_words;
mod remember;
mod render;
pub mod route;
mod scene_view;
mod sentence;
mod snapshot;
mod spoken;
mod things;
mod timeline;
mod tools;
mod voicing;
mod warm;
pub mod watchfor;
mod window;

#[cfg(test)]
mod tests;

pub use ahead::GuessOrder;
pub use conversation::Conversation;
pub use ground::{Ground, Grounding};
pub use hold::HoldOrder;
pub use io::{EngineEvent, Finish, Input, Limits, Output, Setup, Sound, TokenCounter, VideoState};
pub use look::{LookId, LookReason, NoLook};
pub use memory_view::{parse_keyframe_id, timeline as memory_timeline};
pub use prompt::{CALL_CLOSE, CALL_OPEN, Message, Prompt, Role};
pub use question::{Ask, Attribute, Place, analyse};
pub use reading::{ReadOrder, ReadSoFar, patience};
pub use remember::{EmbedFor, Keep, MemorySetup};
pub use snapshot::Snapshot;
pub use tools::ToolOutcome;
pub use voicing::{VoiceLoss, Voiced, VoicedWord};
