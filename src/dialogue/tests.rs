//! Properties of whole conversations, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::base::{self, MediaTime};
use crate::listen::Utterance;
use crate::watch;
use crate::wire::{ClientEvent, ServerBody};

// The integration tests read the same file.
#[path = "../../tests/common/scene_json.rs"]
mod scene_json;

mod ahead;
mod aloud;
mod answers;
mod barge;
mod first_words;
mod hold;
mod idle;
mod ladder;
mod memory;
mod reading;
mod snapshot;
mod talk;
mod tools;
mod turns;
mod warm;
