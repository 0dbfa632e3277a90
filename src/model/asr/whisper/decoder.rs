//! Hidden states to tokens.

use super::config::Config;
use crate::model::asr::decode::{Decoder, Layer, Names, Positions};
use crate::model::asr::layers::{Feed, Linear, Loaded, Norm};
use crate::model::asr::weights::Weights;
use crate::model::kernels::Heads;

/// Keys have no bias: it would add the same to all scores.
pub(super) const BIAS: [bool; 3] = [true, false, true];

pub(super) fn load(w: &mut Weights, c: &Config) -> Loaded<Decoder> {
    let (d, n) = (c.d_model, c.decoder_attention_heads);
    let name = "model.decoder.embed_tokens";
    let embedding = w.take(&format!("{name}.weight"), &[c.vocab_size, d])?;
    let embedding = Linear::plain(w, name, &embedding, c.vocab_size)?;
    let positions = w.take("model.decoder.embed_positions.weight", &[c.max_target_positions, d])?;
    let layers = (0..c.decoder_layers).map(|i| layer(w, c, i)).collect::<Loaded<_>>()?;
    let norm = Norm::load(w, "model.decoder.layer_norm", d, true)?;
    let heads = Heads { heads: n, shared: n, width: d / n };
    Ok(Decoder::new(heads, embedding, Positions::Added(positions), layers, norm))
}

fn layer(w: &mut Weights, c: &Config, i: usize) -> Loaded<Layer> {
    let (d, inner, name) = (c.d_model, c.decoder_ffn_dim, format!("model.decoder.layers.{i}"));
    let norm = |w: &mut Weights, n: &str| Norm::load(w, &format!("{name}.{n}"), d, true);
    let norms = [norm(w, "self_attn_layer_norm")?, norm(w, "encoder_attn_layer_norm")?];
    let up = Linear::load(w, &format!("{name}.fc1"), (d, inner), true)?;
    let down = Linear::load(w, &format!("{name}.fc2"), (inner, d), true)?;
    let feed = Feed::smooth(norm(w, "final_layer_norm")?, up, down);
    let (own, sound) = (format!("{name}.self_attn"), format!("{name}.encoder_attn"));
    Layer::load(w, &Names { own: &own, sound: &sound, out: "out_proj", bias: BIAS }, d, norms, feed)
}
