//! The same networks in f32 with candle, all at once and as plainly as can be: what tests hold the recognisers to.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{D, DType, Device, Result, Tensor};

/// A checkpoint.
pub(super) struct Oracle {
    tensors: HashMap<String, Tensor>,
    heads: usize,
}

impl Oracle {
    /// `heads` are the same in all its layers.
    pub(super) fn load(dir: &Path, heads: usize) -> Result<Self> {
        Ok(Self { tensors: candle_core::safetensors::load(dir.join("model.safetensors"), &Device::Cpu)?, heads })
    }

    fn get(&self, name: &str) -> Option<Tensor> {
        self.tensors.get(name).map(|t| t.to_dtype(DType::F32).expect("floats"))
    }

    fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    fn weight(&self, name: &str) -> Tensor {
        self.get(&format!("{name}.weight")).unwrap_or_else(|| panic!("no {name}"))
    }

    fn plus_bias(&self, x: Tensor, name: &str) -> Result<Tensor> {
        self.get(&format!("{name}.bias")).map_or(Ok(x.clone()), |b| x.broadcast_add(&b))
    }

    fn linear(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        self.plus_bias(x.matmul(&self.weight(name).t()?)?, name)
    }

    fn norm(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let weight = self.weight(name);
        let bias = self.get(&format!("{name}.bias")).map_or_else(|| weight.zeros_like(), Ok)?;
        candle_nn::ops::layer_norm(x, &weight, &bias, 1e-5)
    }

    /// A convolution of `[time, channels]`.
    fn conv(&self, x: &Tensor, name: &str, pad: usize, stride: usize) -> Result<Tensor> {
        let y = x.t()?.contiguous()?.unsqueeze(0)?.conv1d(&self.weight(name), pad, stride, 1, 1)?;
        self.plus_bias(y.squeeze(0)?.t()?.contiguous()?, name)
    }

    /// `x` looks at `y`: at what stands before it where that is `x` itself in a decoder.
    fn attention(&self, x: &Tensor, y: &Tensor, name: &str, (turned, causal): (bool, bool)) -> Result<Tensor> {
        let heads = |x: Tensor, turned: bool| -> Result<Tensor> {
            let (time, width) = x.dims2()?;
            let x = x.reshape((time, self.heads, width / self.heads))?.transpose(0, 1)?.contiguous()?;
            if turned { turn(&x) } else { Ok(x) }
        };
        let side = |of: &Tensor, n: &str| self.linear(of, &format!("{name}.{n}_proj"));
        let (q, k, v) = (heads(side(x, "q")?, turned)?, heads(side(y, "k")?, turned)?, heads(side(y, "v")?, false)?);
        let mut scores = (q.matmul(&k.transpose(1, 2)?)? / (q.dim(2)? as f64).sqrt())?;
        if causal {
            let time = q.dim(1)?;
            let hidden = |i: usize| if i % time <= i / time { 0.0 } else { f32::NEG_INFINITY };
            let mask = Tensor::from_vec((0..time * time).map(hidden).collect(), (time, time), &Device::Cpu)?;
            scores = scores.broadcast_add(&mask)?;
        }
        let mixed = candle_nn::ops::softmax_last_dim(&scores)?.matmul(&v)?;
        let mixed = mixed.transpose(0, 1)?.contiguous()?.flatten_from(D::Minus2)?;
        let out = if self.has(&format!("{name}.o_proj.weight")) { "o_proj" } else { "out_proj" };
        self.linear(&mixed, &format!("{name}.{out}"))
    }

    /// Layers `0..`, whose norms are called `norms`: before attention to itself, to `sound` if there is any, and before the rest.
    fn layers(&self, part: &str, mut x: Tensor, norms: &[&str], sound: Option<&Tensor>) -> Result<Tensor> {
        let moonshine = self.has("model.encoder.groupnorm.weight");
        let mlp = if moonshine { "mlp." } else { "" };
        for name in (0..).map(|i| format!("model.{part}.layers.{i}")) {
            if !self.has(&format!("{name}.self_attn.q_proj.weight")) {
                break;
            }
            let normed = self.norm(&x, &format!("{name}.{}", norms[0]))?;
            x = (&x + self.attention(&normed, &normed, &format!("{name}.self_attn"), (moonshine, sound.is_some()))?)?;
            if let Some(sound) = sound {
                let normed = self.norm(&x, &format!("{name}.{}", norms[1]))?;
                x = (&x + self.attention(&normed, sound, &format!("{name}.encoder_attn"), (false, false))?)?;
            }
            let normed = self.norm(&x, &format!("{name}.{}", norms[norms.len() - 1]))?;
            let up = self.linear(&normed, &format!("{name}.{mlp}fc1"))?;
            let inner = if moonshine && sound.is_some() {
                let half = up.dim(1)? / 2;
                (up.narrow(1, half, half)?.silu()? * up.narrow(1, 0, half)?)?
            } else {
                up.gelu_erf()?
            };
            x = (&x + self.linear(&inner, &format!("{name}.{mlp}fc2"))?)?;
        }
        Ok(x)
    }

    /// Moonshine's hidden states, `[time, hidden]`.
    pub(super) fn moonshine(&self, samples: &[f32]) -> Result<Tensor> {
        let x = Tensor::from_slice(samples, (samples.len(), 1), &Device::Cpu)?;
        let x = self.conv(&x, "model.encoder.conv1", 0, 64)?.tanh()?;
        let x = x.broadcast_sub(&x.mean_all()?)?;
        let x = x.broadcast_div(&(x.sqr()?.mean_all()? + 1e-5)?.sqrt()?)?;
        let x = x.broadcast_mul(&self.weight("model.encoder.groupnorm"))?;
        let x = self.plus_bias(x, "model.encoder.groupnorm")?;
        let x = self.conv(&x, "model.encoder.conv2", 0, 3)?.gelu_erf()?;
        let x = self.conv(&x, "model.encoder.conv3", 0, 2)?.gelu_erf()?;
        let x = self.layers("encoder", x, &["input_layernorm", "post_attention_layernorm"], None)?;
        self.norm(&x, "model.encoder.layer_norm")
    }

    /// Whisper's, of `[frames, mels]`.
    pub(super) fn whisper(&self, mel: &[f32], mels: usize) -> Result<Tensor> {
        let x = Tensor::from_slice(mel, (mel.len() / mels, mels), &Device::Cpu)?;
        let x = self.conv(&x, "model.encoder.conv1", 1, 1)?.gelu_erf()?;
        let x = self.conv(&x, "model.encoder.conv2", 1, 2)?.gelu_erf()?;
        let x = (&x + self.weight("model.encoder.embed_positions").narrow(0, 0, x.dim(0)?)?)?;
        let x = self.layers("encoder", x, &["self_attn_layer_norm", "final_layer_norm"], None)?;
        self.norm(&x, "model.encoder.layer_norm")
    }

    /// Scores after each of `tokens`, `[tokens, vocabulary]`.
    pub(super) fn scores(&self, sound: &Tensor, tokens: &[u32]) -> Result<Tensor> {
        let embedding = self.weight("model.decoder.embed_tokens");
        let mut x = embedding.index_select(&Tensor::new(tokens, &Device::Cpu)?, 0)?;
        let (norms, last) = if self.has("model.encoder.groupnorm.weight") {
            (["input_layernorm", "post_attention_layernorm", "final_layernorm"], "norm")
        } else {
            let positions = self.weight("model.decoder.embed_positions");
            x = (x + positions.narrow(0, 0, tokens.len())?)?;
            (["self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"], "layer_norm")
        };
        let x = self.layers("decoder", x, &norms, Some(sound))?;
        self.norm(&x, &format!("model.decoder.{last}"))?.matmul(&embedding.t()?)
    }
}

/// Rotary positions of Moonshine tiny: 32 of the 36 values of a head, neighbours paired.
fn turn(x: &Tensor) -> Result<Tensor> {
    let (_, time, width) = x.dims3()?;
    let angle = |t: usize, pair: usize| {
        if pair < 16 { t as f64 * 10_000f64.powf(-(2.0 * pair as f64) / 32.0) } else { 0.0 }
    };
    let table = |f: fn(f64) -> f64| {
        let values: Vec<f32> =
            (0..time * width / 2).map(|i| f(angle(i / (width / 2), i % (width / 2))) as f32).collect();
        Tensor::from_vec(values, (time, width / 2), &Device::Cpu)
    };
    candle_nn::rotary_emb::rope_i(&x.unsqueeze(0)?, &table(f64::cos)?, &table(f64::sin)?)?.squeeze(0)
}
