//! Moonshine tiny from the files of the makers' own browser package: 8-bit ONNX graphs and a script with the vocabulary.
//!
//! The result has the tensor names, `config.json` keys and `tokenizer.json` layout of the official checkpoint
//! (`UsefulSensors/moonshine-tiny`), so the recogniser loads either. Weights are the package's 8-bit levels times their
//! scales, kept as `f16`; the same input gives the same bytes.

use std::collections::HashMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use candle_core::Tensor;
use serde_json::json;

use super::error::{AsrError, read_bounded};
use super::onnx::Onnx;
use super::store::{Tensors, write_json, write_tensors};

const LAYERS: usize = 6;
const HIDDEN: usize = 288;
const VOCABULARY: usize = 32_768;
/// Pieces in the Llama vocabulary that Moonshine uses; the ids above are control tokens without text.
const PIECES: usize = 32_000;
const MAX_SCRIPT_BYTES: u64 = 64 << 20;

/// Files of the package `@usefulsensors/moonshine-js`, unpacked.
#[derive(Debug, Clone, Copy)]
pub struct MoonshineSources<'a> {
    /// `package/dist/model/tiny/quantized/encoder_model.onnx`.
    pub encoder: &'a Path,
    /// `package/dist/model/tiny/quantized/decoder_model_merged.onnx`.
    pub decoder: &'a Path,
    /// `package/dist/moonshine.min.js`, which holds the vocabulary.
    pub script: &'a Path,
}

/// Writes `model.safetensors`, `config.json` and `tokenizer.json` into the folder `dst`, which is made if need be.
///
/// # Errors
/// [`AsrError`] names the source file that is missing, cut short or another model's, or the file that could not be
/// written. Each file appears whole or not at all.
pub fn convert_moonshine(sources: MoonshineSources<'_>, dst: &Path) -> Result<(), AsrError> {
    let mut tensors = HashMap::new();
    encoder(&Onnx::load(sources.encoder)?, &mut tensors)?;
    decoder(&Onnx::load(sources.decoder)?, &mut tensors)?;
    let pieces = vocabulary(sources.script)?;
    write_tensors(&tensors, dst)?;
    write_json(&tokenizer(&pieces), &dst.join("tokenizer.json"))?;
    write_json(&config(), &dst.join("config.json"))
}

fn encoder(onnx: &Onnx, out: &mut Tensors) -> Result<(), AsrError> {
    let mut put = |name: String, tensor: Tensor| out.insert(format!("model.encoder.{name}"), tensor);
    for conv in ["conv1", "conv2", "conv3"] {
        put(format!("{conv}.weight"), onnx.kernel(&format!("{conv}.weight"))?);
    }
    put("conv2.bias".into(), onnx.dense("conv2.bias")?);
    put("conv3.bias".into(), onnx.dense("conv3.bias")?);
    put("groupnorm.weight".into(), column(onnx.operand("/groupnorm/Mul")?));
    put("groupnorm.bias".into(), column(onnx.operand("/groupnorm/Add")?));
    put("layer_norm.weight".into(), onnx.dense("layer_norm.weight")?);
    for i in 0..LAYERS {
        for (theirs, ours) in [("q_proj", "q_proj"), ("k_proj", "k_proj"), ("v_proj", "v_proj"), ("dense", "o_proj")] {
            let weight = onnx.linear(&format!("/layers.{i}/self_attn/{theirs}"))?;
            put(format!("layers.{i}.self_attn.{ours}.weight"), weight);
        }
        for fc in ["fc1", "fc2"] {
            put(format!("layers.{i}.mlp.{fc}.weight"), onnx.linear(&format!("/layers.{i}/mlp/{fc}"))?);
            let bias = format!("layers.{i}.mlp.{fc}.bias");
            put(bias.clone(), onnx.dense(&bias)?);
        }
        for norm in ["input_layernorm", "post_attention_layernorm"] {
            let name = format!("layers.{i}.{norm}.weight");
            put(name.clone(), onnx.dense(&name)?);
        }
    }
    Ok(())
}

fn decoder(onnx: &Onnx, out: &mut Tensors) -> Result<(), AsrError> {
    let mut put = |name: String, tensor: Tensor| out.insert(name, tensor);
    let embedding = "model.decoder.embed_tokens.weight";
    put(embedding.into(), onnx.dequantized(&format!("{embedding}_merged_0_quantized"))?);
    put("model.decoder.norm.weight".into(), onnx.dense("model.decoder.norm.weight")?);
    for i in 0..LAYERS {
        let (node, name) = (format!("/model/decoder/layers.{i}"), format!("model.decoder.layers.{i}"));
        for attention in ["self_attn", "encoder_attn"] {
            for (theirs, ours) in
                [("q_proj", "q_proj"), ("k_proj", "k_proj"), ("v_proj", "v_proj"), ("dense", "o_proj")]
            {
                let weight = onnx.linear(&format!("{node}/{attention}/{theirs}"))?;
                put(format!("{name}.{attention}.{ours}.weight"), weight);
            }
        }
        for (theirs, ours) in [("up_proj", "fc1"), ("down_proj", "fc2")] {
            put(format!("{name}.mlp.{ours}.weight"), onnx.linear(&format!("{node}/mlp/{theirs}"))?);
            put(format!("{name}.mlp.{ours}.bias"), onnx.dense(&format!("{name}.mlp.{theirs}.bias"))?);
        }
        for norm in ["input_layernorm", "post_attention_layernorm", "final_layernorm"] {
            let norm = format!("{name}.{norm}.weight");
            put(norm.clone(), onnx.dense(&norm)?);
        }
    }
    Ok(())
}

/// `(n, 1)` to `(n,)`; anything else is left for the loader to refuse.
fn column(t: Tensor) -> Tensor {
    t.flatten_all().unwrap_or(t)
}

/// The pieces in the order of their ids: the script holds them as one base64 string of lines, which begins `<unk>`.
fn vocabulary(script: &Path) -> Result<Vec<String>, AsrError> {
    const WHAT: &str = "moonshine.min.js";
    /// base64 of `<unk>\n<s>\n</s>\n`.
    const START: &str = "PHVuaz4KPHM+Cjwvcz4K";
    let bytes = read_bounded(script, MAX_SCRIPT_BYTES)?;
    let bad = |why: &str| AsrError::corrupt(script, WHAT, why);
    let text = std::str::from_utf8(&bytes).map_err(|_| bad("it is not UTF-8"))?;
    let start = text.find(START).ok_or_else(|| bad("it holds no vocabulary"))?;
    let encoded = text[start..].split('"').next().unwrap_or_default();
    let lines = STANDARD.decode(encoded).map_err(|_| bad("its vocabulary is cut short"))?;
    let lines = String::from_utf8(lines).map_err(|_| bad("its vocabulary is not UTF-8"))?;
    let pieces: Vec<String> = lines.split('\n').map(str::to_owned).collect();
    if pieces.len() != PIECES {
        return Err(bad(&format!("its vocabulary has {} pieces, not {PIECES}", pieces.len())));
    }
    Ok(pieces)
}

/// Decoding only: `merges` is empty, so this file cannot be used to encode.
fn tokenizer(pieces: &[String]) -> serde_json::Value {
    let vocab: serde_json::Map<_, _> = pieces.iter().enumerate().map(|(id, p)| (p.clone(), json!(id))).collect();
    let special = |(id, piece): (usize, &String)| {
        json!({
            "id": id, "content": piece, "special": true, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false,
        })
    };
    let special: Vec<_> = pieces.iter().take(3).enumerate().map(special).collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "pre_tokenizer": null, "post_processor": null,
        "added_tokens": special,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": true, "fuse_unk": true, "vocab": vocab, "merges": []},
    })
}

fn config() -> serde_json::Value {
    json!({
        "model_type": "moonshine", "vocab_size": VOCABULARY, "hidden_size": HIDDEN, "intermediate_size": 4 * HIDDEN,
        "encoder_num_hidden_layers": LAYERS, "decoder_num_hidden_layers": LAYERS,
        "encoder_num_attention_heads": 8, "decoder_num_attention_heads": 8,
        "partial_rotary_factor": 0.9, "rope_theta": 10000.0, "max_position_embeddings": 194,
        "decoder_start_token_id": 1, "eos_token_id": 2,
    })
}
