//! The GGUF file: its header, the model's shape, its tensors.
//!
//! Source: the GGUF specification of ggml-org/ggml, docs/gguf.md, version 3, as read by candle-core 0.11.1.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use candle_core::quantized::QTensor;
use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::{Device, Tensor};

use super::LlmError;

/// Which arrangement of a transformer the file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Biases on q, k, v; rotary halves.
    Qwen2,
    /// No biases; rotary pairs (the GGUF converter permutes q and k for it).
    Llama,
}

/// The sizes of a model, checked against each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub family: Family,
    pub layers: usize,
    pub width: usize,
    pub feed_forward: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_width: usize,
    pub context: usize,
    pub vocabulary: usize,
    pub rope_base: f32,
    pub norm_eps: f32,
}

impl Shape {
    /// Values of a token's queries, all heads together.
    pub(super) const fn queries(&self) -> usize {
        self.heads * self.head_width
    }

    /// Bytes of keys and values of `tokens` in all layers, at `bytes` for each.
    pub(super) fn kv_bytes(&self, tokens: usize, bytes: usize) -> u64 {
        (self.layers * 2 * self.kv_heads * self.head_width * bytes) as u64 * tokens as u64
    }
}

/// An opened file with its header read.
pub(super) struct GgufFile {
    path: PathBuf,
    reader: BufReader<File>,
    content: Content,
}

impl GgufFile {
    pub(super) fn open(path: &Path) -> Result<Self, LlmError> {
        let open = |source| LlmError::Open { path: path.to_owned(), source };
        let file = File::open(path).map_err(open)?;
        if !file.metadata().map_err(open)?.is_file() {
            return Err(LlmError::Corrupt { path: path.to_owned(), reason: "it is not a file".to_owned() });
        }
        let mut reader = BufReader::new(file);
        let content = Content::read(&mut reader)
            .map_err(|e| LlmError::Corrupt { path: path.to_owned(), reason: e.to_string() })?;
        Ok(Self { path: path.to_owned(), reader, content })
    }

    pub(super) fn corrupt(&self, reason: impl Into<String>) -> LlmError {
        LlmError::Corrupt { path: self.path.clone(), reason: reason.into() }
    }

    pub(super) fn unsupported(&self, reason: impl Into<String>) -> LlmError {
        LlmError::Unsupported { path: self.path.clone(), reason: reason.into() }
    }

    /// The model's own name, or the file's folder.
    pub(super) fn name(&self) -> String {
        let own = self.value("general.name").ok().and_then(|v| v.to_string().ok().cloned());
        own.unwrap_or_else(|| self.path.display().to_string())
    }

    pub(super) fn value(&self, key: &str) -> Result<&Value, LlmError> {
        self.content.metadata.get(key).ok_or_else(|| self.corrupt(format!("metadata key {key:?} is missing")))
    }

    fn has_value(&self, key: &str) -> bool {
        self.content.metadata.contains_key(key)
    }

    pub(super) fn text(&self, key: &str) -> Result<&str, LlmError> {
        let value = self.value(key)?;
        value.to_string().map(String::as_str).map_err(|_| self.corrupt(format!("metadata key {key:?} is not a text")))
    }

    /// An array of texts, borrowed.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<&str>, LlmError> {
        let wrong = || self.corrupt(format!("metadata key {key:?} is not a list of texts"));
        let list = self.value(key)?.to_vec().map_err(|_| wrong())?;
        list.iter().map(|v| v.to_string().map(String::as_str).map_err(|_| wrong())).collect()
    }

    /// A count of 1 to `max`.
    fn count(&self, key: &str, max: u64) -> Result<usize, LlmError> {
        let n = self.value(key)?.to_u64().map_err(|_| self.corrupt(format!("metadata key {key:?} is not a count")))?;
        if n == 0 || n > max {
            return Err(self.corrupt(format!("metadata key {key:?} is {n}, which is not within 1..={max}")));
        }
        usize::try_from(n).map_err(|_| self.corrupt(format!("metadata key {key:?} is {n}")))
    }

    fn real(&self, key: &str) -> Result<f32, LlmError> {
        let x = self.value(key)?.to_f32().map_err(|_| self.corrupt(format!("metadata key {key:?} is not a number")))?;
        if x.is_finite() && x > 0.0 { Ok(x) } else { Err(self.corrupt(format!("metadata key {key:?} is {x}"))) }
    }

    /// The model's sizes. Bounds are far above any model this server can run and far below what could exhaust memory.
    pub(super) fn shape(&self) -> Result<Shape, LlmError> {
        let arch = self.text("general.architecture")?.to_owned();
        let family = match arch.as_str() {
            "qwen2" => Family::Qwen2,
            "llama" => Family::Llama,
            other => return Err(self.unsupported(format!("its architecture is {other:?}"))),
        };
        let key = |k: &str| format!("{arch}.{k}");
        let width = self.count(&key("embedding_length"), 1 << 15)?;
        let heads = self.count(&key("attention.head_count"), 1 << 8)?;
        let kv_heads = self.count(&key("attention.head_count_kv"), 1 << 8)?;
        // Stated where heads were taken out; else they share the width.
        let stated = self.has_value(&key("attention.key_length"));
        let head_width = if stated {
            self.count(&key("attention.key_length"), 1 << 12)?
        } else {
            width.checked_div(heads).unwrap_or(0)
        };
        let shared = stated || width % heads == 0;
        if !shared || heads % kv_heads != 0 || head_width == 0 || head_width % 2 != 0 {
            return Err(self.corrupt(format!("{heads} heads, {kv_heads} kv heads do not divide a width of {width}")));
        }
        let shape = Shape {
            family,
            layers: self.count(&key("block_count"), 1 << 8)?,
            width,
            feed_forward: self.count(&key("feed_forward_length"), 1 << 17)?,
            heads,
            kv_heads,
            head_width,
            context: self.count(&key("context_length"), 1 << 24)?,
            vocabulary: self.texts("tokenizer.ggml.tokens")?.len(),
            rope_base: self.real(&key("rope.freq_base")).unwrap_or(10_000.0),
            norm_eps: self.real(&key("attention.layer_norm_rms_epsilon"))?,
        };
        if shape.vocabulary == 0 {
            return Err(self.corrupt("its vocabulary is empty"));
        }
        Ok(shape)
    }

    /// Everything that the header says.
    pub(super) fn metadata(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.content.metadata.iter()
    }

    /// Bytes of all tensors in 16 bits, and of the memory that reading them so takes: the largest is in floats meanwhile.
    pub(super) fn bytes_in_16_bits(&self) -> (u64, u64) {
        let counts = self.content.tensor_infos.values().map(|info| info.shape.elem_count() as u64);
        let (all, largest) = counts.fold((0, 0), |(all, largest): (u64, u64), n| (all + n, largest.max(n)));
        (2 * all, 2 * all + 4 * largest)
    }

    /// One tensor as it is.
    pub(super) fn whole(&mut self, name: &str) -> Result<QTensor, LlmError> {
        self.read(name, &Device::Cpu)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    /// Reads one tensor after checking that it has the shape `dims`.
    pub(super) fn tensor(&mut self, name: &str, dims: &[usize], device: &Device) -> Result<QTensor, LlmError> {
        let Some(info) = self.content.tensor_infos.get(name) else {
            return Err(self.corrupt(format!("tensor {name:?} is missing")));
        };
        if info.shape.dims() != dims {
            return Err(self.corrupt(format!("tensor {name:?} is {:?} and not {dims:?}", info.shape.dims())));
        }
        self.read(name, device)
    }

    fn read(&mut self, name: &str, device: &Device) -> Result<QTensor, LlmError> {
        let read = self.content.tensor(&mut self.reader, name, device);
        read.map_err(|e| self.corrupt(format!("tensor {name:?}: {e}")))
    }

    /// One tensor in f32, after checking its shape.
    pub(super) fn floats(&mut self, name: &str, dims: &[usize], device: &Device) -> Result<Tensor, LlmError> {
        let read = self.tensor(name, dims, device)?.dequantize(device);
        read.map_err(|e| self.corrupt(format!("tensor {name:?}: {e}")))
    }

    /// What the likelihoods of the next token come from: models that tie their head to the embedding have no "output.weight".
    pub(super) fn head(&self) -> &'static str {
        if self.has("output.weight") { "output.weight" } else { "token_embd.weight" }
    }
}
