//! Files that are not what they should be: each is refused with an error that names it, and nothing is written.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use proptest::prelude::*;

use super::store::{Tensors, write_json, write_tensors};
use super::*;

fn refused(error: &AsrError, file: &str) {
    let text = error.to_string();
    assert!(text.contains(file), "`{text}` does not name {file}");
}

fn moonshine_in(dir: &Path) -> Result<(), AsrError> {
    let (encoder, decoder, script) = (dir.join("encoder.onnx"), dir.join("decoder.onnx"), dir.join("script.js"));
    convert_moonshine(MoonshineSources { encoder: &encoder, decoder: &decoder, script: &script }, &dir.join("out"))
}

fn whisper_in(dir: &Path) -> Result<(), AsrError> {
    let (model, config, tokenizer) = (dir.join("model.bin"), dir.join("config.json"), dir.join("tokenizer.json"));
    convert_whisper(WhisperSources { model: &model, config: &config, tokenizer: &tokenizer }, &dir.join("out"))
}

#[test]
fn missing_and_foreign_sources_are_named_and_nothing_is_written() {
    let dir = tempfile::tempdir().expect("folder");
    refused(&moonshine_in(dir.path()).expect_err("missing"), "encoder.onnx");
    refused(&whisper_in(dir.path()).expect_err("missing"), "model.bin");
    std::fs::write(dir.path().join("encoder.onnx"), b"not a model").expect("written");
    refused(&moonshine_in(dir.path()).expect_err("no ONNX"), "encoder.onnx");
    std::fs::write(dir.path().join("model.bin"), b"\x06\0\0\0\x0c\0WhisperSpec\0\x03\0\0\0\xff\xff\xff\xff")
        .expect("written");
    refused(&whisper_in(dir.path()).expect_err("too many variables"), "model.bin");
    assert!(!dir.path().join("out").exists());
}

/// A Moonshine so small that a test can hold it: every tensor is zero.
fn write_small(dir: &Path, spoil: impl Fn(&mut Tensors)) {
    let mut tensors = Tensors::new();
    let mut put = |name: String, shape: &[usize]| {
        tensors.insert(name, Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("zeros"));
    };
    for (name, shape) in [
        ("conv1.weight", &[32, 1, 127][..]),
        ("conv2.weight", &[64, 32, 7]),
        ("conv2.bias", &[64]),
        ("conv3.weight", &[32, 64, 3]),
        ("conv3.bias", &[32]),
        ("groupnorm.weight", &[32]),
        ("groupnorm.bias", &[32]),
        ("layer_norm.weight", &[32]),
    ] {
        put(format!("model.encoder.{name}"), shape);
    }
    put("model.decoder.embed_tokens.weight".into(), &[8, 32]);
    put("model.decoder.norm.weight".into(), &[32]);
    for (half, attentions, inner) in
        [("encoder", &["self_attn"][..], 32), ("decoder", &["self_attn", "encoder_attn"], 64)]
    {
        let layer = format!("model.{half}.layers.0");
        for attention in attentions {
            for part in ["q_proj", "k_proj", "v_proj", "o_proj"] {
                put(format!("{layer}.{attention}.{part}.weight"), &[32, 32]);
            }
        }
        put(format!("{layer}.mlp.fc1.weight"), &[inner, 32]);
        put(format!("{layer}.mlp.fc1.bias"), &[inner]);
        put(format!("{layer}.mlp.fc2.weight"), &[32, 32]);
        put(format!("{layer}.mlp.fc2.bias"), &[32]);
        for norm in ["input_layernorm", "post_attention_layernorm", "final_layernorm"] {
            put(format!("{layer}.{norm}.weight"), &[32]);
        }
    }
    spoil(&mut tensors);
    write_tensors(&tensors, dir).expect("written");
    write_json(&small_config(), &dir.join("config.json")).expect("written");
    let vocab = serde_json::json!({"model": {"vocab": {"<unk>": 0, "<s>": 1, "</s>": 2, "▁a": 3}}});
    write_json(&vocab, &dir.join("tokenizer.json")).expect("written");
}

fn small_config() -> serde_json::Value {
    serde_json::json!({
        "model_type": "moonshine", "vocab_size": 8, "hidden_size": 32, "intermediate_size": 32,
        "encoder_num_hidden_layers": 1, "decoder_num_hidden_layers": 1,
        "encoder_num_attention_heads": 4, "decoder_num_attention_heads": 4,
        "partial_rotary_factor": 0.9, "rope_theta": 10000.0, "max_position_embeddings": 194,
        "decoder_start_token_id": 1, "eos_token_id": 2,
    })
}

#[test]
fn a_model_that_knows_nothing_still_ends() {
    let dir = tempfile::tempdir().expect("folder");
    write_small(dir.path(), |_| ());
    let r = load_recogniser(dir.path()).expect("small model");
    for samples in [1, 100, 16_000, 40 * 16_000] {
        let heard = r.transcribe(&vec![0.5; samples]).expect("recognised");
        assert!(heard.tokens <= 194, "{}", heard.tokens);
    }
}

#[test]
fn tensors_missing_or_misshapen_are_named() {
    let dir = tempfile::tempdir().expect("folder");
    write_small(dir.path(), |t| drop(t.remove("model.decoder.norm.weight")));
    refused(&load_recogniser(dir.path()).err().expect("missing tensor"), "model.decoder.norm.weight");
    write_small(dir.path(), |t| {
        let wrong = Tensor::zeros((32, 31), DType::F32, &Device::Cpu).expect("zeros");
        t.insert("model.encoder.layers.0.self_attn.k_proj.weight".into(), wrong);
    });
    let error = load_recogniser(dir.path()).err().expect("wrong shape");
    refused(&error, "model.safetensors");
    assert!(matches!(error, AsrError::Shape { .. }), "{error}");
}

#[test]
fn files_missing_cut_short_or_out_of_bounds_are_named() {
    let dir = tempfile::tempdir().expect("folder");
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        write_small(dir.path(), |_| ());
        let path = dir.path().join(file);
        let whole = std::fs::read(&path).expect("read");
        for cut in [0, 7, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).expect("cut");
            refused(&load_recogniser(dir.path()).err().expect("cut short"), file);
        }
        std::fs::remove_file(&path).expect("removed");
        refused(&load_recogniser(dir.path()).err().expect("missing"), file);
    }
    for (key, value) in
        [("hidden_size", 1_000_000_000), ("encoder_num_attention_heads", 0), ("vocab_size", 0), ("eos_token_id", 99)]
    {
        write_small(dir.path(), |_| ());
        let mut config = small_config();
        config[key] = value.into();
        write_json(&config, &dir.path().join("config.json")).expect("written");
        refused(&load_recogniser(dir.path()).err().expect("out of bounds"), "config.json");
    }
    let mut config = small_config();
    config["model_type"] = "parrot".into();
    write_json(&config, &dir.path().join("config.json")).expect("written");
    refused(&load_recogniser(dir.path()).err().expect("another model"), "parrot");
}

#[test]
fn the_same_tensors_give_the_same_bytes() {
    let (a, b) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    write_small(a.path(), |_| ());
    write_small(b.path(), |_| ());
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let (a, b) = (std::fs::read(a.path().join(file)), std::fs::read(b.path().join(file)));
        assert_eq!(a.expect("read"), b.expect("read"), "{file}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever bytes follow a good beginning, a conversion ends in an error and not in a panic.
    #[test]
    fn no_bytes_make_a_conversion_panic(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
        let dir = tempfile::tempdir().expect("folder");
        let mut model = b"\x06\0\0\0\x0c\0WhisperSpec\0\x03\0\0\0\x02\0\0\0".to_vec();
        model.extend(&tail);
        std::fs::write(dir.path().join("model.bin"), &model).expect("written");
        std::fs::write(dir.path().join("encoder.onnx"), &tail).expect("written");
        prop_assert!(whisper_in(dir.path()).is_err() && moonshine_in(dir.path()).is_err());
    }
}

/// The real thing, where somebody unpacked the packages into one folder and named it.
#[test]
fn members_of_the_packages_convert_to_models_that_load() {
    let Some(members) = std::env::var_os("SIGHTLINE_ASR_MEMBERS").map(std::path::PathBuf::from) else {
        return println!("skipped: SIGHTLINE_ASR_MEMBERS names no folder of unpacked package members");
    };
    let at = |name: &str| members.join(name);
    let dst = tempfile::tempdir().expect("folder");
    let dst = std::env::var_os("SIGHTLINE_ASR_CONVERTED").map_or_else(|| dst.path().to_owned(), Into::into);
    let (encoder, decoder, script) =
        (at("encoder_model.onnx"), at("decoder_model_merged.onnx"), at("moonshine.min.js"));
    let sources = MoonshineSources { encoder: &encoder, decoder: &decoder, script: &script };
    convert_moonshine(sources, &dst.join("moonshine-tiny")).expect("moonshine");
    let (model, config, tokenizer) = (at("model.bin"), at("config.json"), at("tokenizer.json"));
    let sources = WhisperSources { model: &model, config: &config, tokenizer: &tokenizer };
    convert_whisper(sources, &dst.join("whisper-tiny.en")).expect("whisper");
    for name in ["moonshine-tiny", "whisper-tiny.en"] {
        assert_eq!(load_recogniser(&dst.join(name)).expect("loaded").name(), name);
    }
}
