//! Hidden states to tokens.

use super::config::Config;
use super::rotary;
use crate::model::asr::decode::{Decoder, Layer, Names, Positions};
use crate::model::asr::layers::{Feed, Linear, Loaded, Norm};
use crate::model::asr::weights::Weights;
use crate::model::kernels::Heads;

pub(super) fn load(w: &mut Weights, c: &Config) -> Loaded<Decoder> {
    let (h, n) = (c.hidden_size, c.decoder_num_attention_heads);
    let name = "model.decoder.embed_tokens";
    let embedding = w.take(&format!("{name}.weight"), &[c.vocab_size, h])?;
    let embedding = Linear::plain(w, name, &embedding, c.vocab_size)?;
    let layers = (0..c.decoder_num_hidden_layers).map(|i| layer(w, c, i)).collect::<Loaded<_>>()?;
    let norm = Norm::load(w, "model.decoder.norm", h, false)?;
    let positions = Positions::Turned(rotary::turns(c, n, c.max_position_embeddings));
    Ok(Decoder::new(Heads { heads: n, shared: n, width: h / n }, embedding, positions, layers, norm))
}

fn layer(w: &mut Weights, c: &Config, i: usize) -> Loaded<Layer> {
    let (h, inner, name) = (c.hidden_size, c.intermediate_size, format!("model.decoder.layers.{i}"));
    let norm = |w: &mut Weights, n: &str| Norm::load(w, &format!("{name}.{n}"), h, false);
    let norms = [norm(w, "input_layernorm")?, norm(w, "post_attention_layernorm")?];
    // The gate is the second half.
    let (up, gate) = Linear::halves(w, &format!("{name}.mlp.fc1"), (h, inner))?;
    let down = Linear::load(w, &format!("{name}.mlp.fc2"), (inner, h), true)?;
    let feed = Feed::gated(norm(w, "final_layernorm")?, gate, up, down);
    let (own, sound) = (format!("{name}.self_attn"), format!("{name}.encoder_attn"));
    Layer::load(w, &Names { own: &own, sound: &sound, out: "o_proj", bias: [false; 3] }, h, norms, feed)
}
