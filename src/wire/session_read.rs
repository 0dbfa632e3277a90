//! JSON to [`SessionPatch`], in the GA spelling and in the older flat one.

use serde_json::Value;

use super::error::{WireError, code};
use super::limits::MAX_OPAQUE_BYTES;
use super::read::{Field, Obj};
use super::session::{
    AudioFormat, Eagerness, MaxTokens, Modality, SessionKind, SessionPatch, TranscriptionPatch, TurnKind, TurnPatch,
};
use super::tool::{read_tool_choice, read_tools};
use super::vendor::Extension;

/// Bounds of `idle_timeout_ms`.
const LEAST_IDLE_MS: u32 = 5_000;
const MOST_IDLE_MS: u32 = 30_000;

/// Reads a `session` object. Unknown fields are left out, since stock clients send many.
pub(crate) fn read_session(mut o: Obj) -> Result<SessionPatch, WireError> {
    let kind = match o.name("type")?.set().as_deref() {
        None => None,
        Some("realtime") => Some(SessionKind::Realtime),
        Some("transcription") => Some(SessionKind::Transcription),
        Some(other) => return Err(o.bad("type", &format!("must be \"realtime\" or \"transcription\", got {other:?}"))),
    };
    let mut patch = SessionPatch {
        kind,
        instructions: cleared(o.text("instructions")?),
        tool_choice: read_tool_choice(&mut o)?,
        max_output_tokens: read_max_tokens(&mut o)?,
        tracing: o.opaque("tracing")?.patch(),
        truncation: o.opaque("truncation")?.set(),
        prompt: o.opaque("prompt")?.patch(),
        include: o.names("include", 32)?.patch(),
        tools: read_tools(&mut o)?,
        extensions: read_extensions(&mut o)?,
        ..SessionPatch::default()
    };
    read_flat(&mut o, &mut patch)?;
    if let Field::Set(audio) = o.object("audio")? {
        read_audio(audio, &mut patch)?;
    }
    patch.modality = read_modality(&mut o)?;
    Ok(patch)
}

/// Absent leaves, null and the empty value clear.
fn cleared<T: Default>(field: Field<T>) -> Option<T> {
    match field {
        Field::Absent => None,
        Field::Null => Some(T::default()),
        Field::Set(v) => Some(v),
    }
}

fn read_extensions(o: &mut Obj) -> Result<Option<Vec<Extension>>, WireError> {
    Ok(cleared(o.names("extensions", 32)?).map(|names| {
        let mut list: Vec<_> = names.iter().filter_map(|n| Extension::parse(n)).collect();
        list.sort_unstable();
        list.dedup();
        list
    }))
}

/// `output_modalities`, or its older name, in which sound stands beside text. Whatever else is named, the client sees what it gets.
pub(crate) fn read_modality(o: &mut Obj) -> Result<Option<Modality>, WireError> {
    let mut named = None;
    for key in ["modalities", "output_modalities"] {
        if let Field::Set(names) = o.names(key, 4)? {
            named = Some(if names.iter().any(|n| n == "audio") { Modality::Audio } else { Modality::Text });
        }
    }
    Ok(named)
}

/// `max_output_tokens`, or its older name.
pub(crate) fn read_max_tokens(o: &mut Obj) -> Result<Option<MaxTokens>, WireError> {
    for key in ["max_output_tokens", "max_response_output_tokens"] {
        match o.take(key) {
            Field::Absent => {}
            Field::Null => return Ok(Some(MaxTokens::INF)),
            Field::Set(Value::String(s)) if s == "inf" => return Ok(Some(MaxTokens::INF)),
            Field::Set(Value::Number(n)) => {
                let count = n.as_u64().filter(|n| (1..=4096).contains(n)).and_then(|n| u32::try_from(n).ok());
                let wrong = || o.bad(key, "must be a whole number from 1 to 4096, or \"inf\"");
                return count.map(|n| Some(MaxTokens::Count(n))).ok_or_else(wrong);
            }
            Field::Set(other) => return Err(o.wrong(key, "a number or \"inf\"", &other)),
        }
    }
    Ok(None)
}

/// The flat spelling of before GA.
fn read_flat(o: &mut Obj, patch: &mut SessionPatch) -> Result<(), WireError> {
    patch.input_format = read_format(o, "input_audio_format")?;
    patch.output_format = read_format(o, "output_audio_format")?;
    patch.transcription = read_transcription(o, "input_audio_transcription")?;
    patch.noise_reduction = o.opaque("input_audio_noise_reduction")?.patch();
    patch.turn_detection = read_turn(o)?;
    Ok(())
}

fn read_audio(mut audio: Obj, patch: &mut SessionPatch) -> Result<(), WireError> {
    if let Field::Set(mut input) = audio.object("input")? {
        keep(&mut patch.input_format, read_format(&mut input, "format")?);
        keep(&mut patch.transcription, read_transcription(&mut input, "transcription")?);
        keep(&mut patch.noise_reduction, input.opaque("noise_reduction")?.patch());
        keep(&mut patch.turn_detection, read_turn(&mut input)?);
    }
    if let Field::Set(mut output) = audio.object("output")? {
        keep(&mut patch.output_format, read_format(&mut output, "format")?);
        #[expect(clippy::cast_possible_truncation, reason = "0.25..=1.5 fits")]
        keep(&mut patch.speed, output.number("speed", 0.25, 1.5)?.map(|s| s as f32));
        // A string or {id}: whatever it is, the voice in force is shown.
        output.opaque("voice")?;
    }
    Ok(())
}

fn keep<T>(place: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *place = value;
    }
}

fn read_format(o: &mut Obj, key: &str) -> Result<Option<AudioFormat>, WireError> {
    match o.take(key) {
        Field::Absent | Field::Null => Ok(None),
        Field::Set(Value::String(name)) => named_format(o, key, &name, None).map(Some),
        Field::Set(Value::Object(map)) => {
            let mut f = Obj::under(map, o.at(key));
            let name = f.required_name("type")?;
            let rate = f.whole("rate", 192_000)?;
            named_format(o, key, &name, rate).map(Some)
        }
        Field::Set(other) => Err(o.wrong(key, "an object", &other)),
    }
}

fn named_format(o: &Obj, key: &str, name: &str, rate: Option<u32>) -> Result<AudioFormat, WireError> {
    match (name, rate) {
        ("audio/pcm" | "pcm16", None) => Ok(AudioFormat::Pcm { rate: 24_000 }),
        ("audio/pcm" | "pcm16", Some(rate @ (16_000 | 24_000))) => Ok(AudioFormat::Pcm { rate }),
        ("audio/pcm" | "pcm16", Some(rate)) => {
            let param = format!("{}.rate", o.at(key));
            let message = format!("{param} must be 24000 or 16000, got {rate}");
            Err(WireError::field(code::INVALID_VALUE, param, message))
        }
        ("audio/pcmu" | "g711_ulaw", _) => Ok(AudioFormat::Pcmu),
        ("audio/pcma" | "g711_alaw", _) => Ok(AudioFormat::Pcma),
        _ => Err(o.bad(key, &format!("must be audio/pcm, audio/pcmu or audio/pcma, got {name:?}"))),
    }
}

fn read_transcription(o: &mut Obj, key: &str) -> Result<Option<Option<TranscriptionPatch>>, WireError> {
    match o.object(key)? {
        Field::Absent => Ok(None),
        Field::Null => Ok(Some(None)),
        Field::Set(mut t) => {
            t.name("model")?;
            t.text("prompt")?;
            Ok(Some(Some(TranscriptionPatch { language: t.name("language")?.set() })))
        }
    }
}

fn read_turn(o: &mut Obj) -> Result<Option<Option<TurnPatch>>, WireError> {
    let mut t = match o.object("turn_detection")? {
        Field::Absent => return Ok(None),
        Field::Null => return Ok(Some(None)),
        Field::Set(t) => t,
    };
    let kind = match t.name("type")?.set().as_deref() {
        None => None,
        Some("server_vad") => Some(TurnKind::ServerVad),
        Some("semantic_vad") => Some(TurnKind::SemanticVad),
        Some("none") => return Ok(Some(None)),
        Some(other) => return Err(t.bad("type", &format!("must be server_vad or semantic_vad, got {other:?}"))),
    };
    let eagerness = match t.name("eagerness")?.set().as_deref() {
        None => None,
        Some("low") => Some(Eagerness::Low),
        Some("medium") => Some(Eagerness::Medium),
        Some("high") => Some(Eagerness::High),
        Some("auto") => Some(Eagerness::Auto),
        Some(other) => return Err(t.bad("eagerness", &format!("must be low, medium, high or auto, got {other:?}"))),
    };
    #[expect(clippy::cast_possible_truncation, reason = "0.0..=1.0 fits")]
    let threshold = t.number("threshold", 0.0, 1.0)?.map(|x| x as f32);
    Ok(Some(Some(TurnPatch {
        kind,
        eagerness,
        threshold,
        prefix_padding_ms: t.whole("prefix_padding_ms", 5_000)?,
        silence_duration_ms: t.whole("silence_duration_ms", 10_000)?,
        idle_timeout_ms: read_idle_timeout(&mut t)?,
        create_response: t.bool("create_response")?,
        interrupt_response: t.bool("interrupt_response")?,
    })))
}

fn read_idle_timeout(t: &mut Obj) -> Result<Option<Option<u32>>, WireError> {
    const KEY: &str = "idle_timeout_ms";
    if t.is_null(KEY) {
        return Ok(Some(None));
    }
    match t.whole(KEY, MOST_IDLE_MS)? {
        Some(ms) if ms < LEAST_IDLE_MS => {
            Err(t.bad(KEY, &format!("must be a whole number from {LEAST_IDLE_MS} to {MOST_IDLE_MS}, or null")))
        }
        ms => Ok(ms.map(Some)),
    }
}

/// Kept but not understood, e.g. `metadata`: an object up to a size.
pub(crate) fn read_metadata(o: &mut Obj) -> Result<Option<Value>, WireError> {
    match o.opaque("metadata")? {
        Field::Absent | Field::Null => Ok(None),
        Field::Set(v @ Value::Object(_)) => Ok(Some(v)),
        Field::Set(other) => {
            Err(o.wrong("metadata", &format!("an object of at most {MAX_OPAQUE_BYTES} bytes"), &other))
        }
    }
}
