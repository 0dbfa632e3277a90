//! A decoder: hidden states to tokens, one at a time, with what was computed for earlier ones kept. Nothing is allocated per token.

use super::layers::{Attention, Buffers, Desk, Feed, Linear, Loaded, Norm, Turns, product};
use super::weights::Weights;
use crate::model::kernels::{Heads, KeyValues, add};

/// The layers, and the matrix that is looked up in before them and scores all tokens behind them.
pub(super) struct Decoder {
    heads: Heads,
    /// `(vocabulary, width)`.
    embedding: Linear,
    positions: Positions,
    layers: Vec<Layer>,
    norm: Norm,
}

/// How a token knows where it stands.
pub(super) enum Positions {
    /// Queries and keys are turned.
    Turned(Turns),
    /// `[positions, width]` is added to the embedding.
    Added(Vec<f32>),
}

/// One layer: looks back at the tokens before, at the sound, then at itself.
pub(super) struct Layer {
    own: Attention,
    sound: Attention,
    feed: Feed,
}

/// Where the parts of a layer are in a file.
pub(super) struct Names<'a> {
    /// Folder of attention to itself, and to the sound.
    pub(super) own: &'a str,
    pub(super) sound: &'a str,
    /// What the matrix behind attention is called.
    pub(super) out: &'a str,
    /// Which of queries, keys and values have a bias.
    pub(super) bias: [bool; 3],
}

impl Layer {
    /// `norms` stand before attention to itself and to the sound.
    pub(super) fn load(w: &mut Weights, n: &Names<'_>, width: usize, norms: [Norm; 2], feed: Feed) -> Loaded<Self> {
        let mut attention = |folder: &str, norm| Attention::load(w, (folder, n.out, width), n.bias, norm);
        let [own, sound] = norms;
        Ok(Self { own: attention(n.own, own)?, sound: attention(n.sound, sound)?, feed })
    }
}

/// What one utterance's decoding has computed so far.
pub(super) struct DecoderState {
    /// Keys and values of the tokens, by layer.
    own: Vec<KeyValues>,
    /// Those of the sound, by layer: made one after the other.
    sound: Vec<KeyValues>,
    heard: usize,
    position: usize,
    room: usize,
}

impl Decoder {
    pub(super) const fn new(
        heads: Heads,
        embedding: Linear,
        positions: Positions,
        layers: Vec<Layer>,
        norm: Norm,
    ) -> Self {
        Self { heads, embedding, positions, layers, norm }
    }

    /// How many tokens one utterance may take.
    pub(super) fn max_tokens(&self) -> usize {
        match &self.positions {
            Positions::Turned(turns) => turns.positions(),
            Positions::Added(table) => table.len() / self.width(),
        }
    }

    fn width(&self) -> usize {
        self.heads.heads * self.heads.width
    }

    /// Before an utterance of at most `tokens` tokens.
    pub(super) fn begin(&self, tokens: usize) -> DecoderState {
        let room = tokens.min(self.max_tokens());
        let own = self.layers.iter().map(|_| KeyValues::new(self.heads, room)).collect();
        DecoderState { own, sound: Vec::with_capacity(self.layers.len()), heard: 0, position: 0, room }
    }

    /// Keys and values of the sound `[time, width]` are computed once for every layer, those of one in each call. True with the last.
    pub(super) fn listen(&self, sound: &[f32], state: &mut DecoderState, desk: &mut Desk) -> bool {
        let (mut p, b) = desk.open();
        if let Some(Layer { sound: attention, .. }) = self.layers.get(state.sound.len()) {
            let [_, k, v] = &attention.qkv;
            b.rounded.round(&mut p, sound, self.width());
            product(&mut p, &[k.side(), v.side()], &b.rounded, &mut b.hidden);
            state.heard = b.rounded.tokens();
            let mut kept = KeyValues::new(Heads { heads: 0, ..self.heads }, state.heard);
            kept.write(0, &b.hidden);
            state.sound.push(kept);
        }
        state.sound.len() == self.layers.len()
    }

    /// Scores of the token after `token`, one for each of the vocabulary; none where there is no room for another.
    pub(super) fn step<'d>(&self, token: u32, state: &mut DecoderState, desk: &'d mut Desk) -> Option<&'d mut [f32]> {
        let (mut p, b) = desk.open();
        let (width, row, token) = (self.width(), self.heads.row(), token as usize);
        if state.position >= state.room || token >= self.embedding.outputs() {
            return None;
        }
        let mut x = std::mem::take(&mut b.x);
        x.resize(width, 0.0);
        self.embedding.row(token, &mut x);
        if let Positions::Added(table) = &self.positions {
            add(&mut x, &table[state.position * width..][..width]);
        }
        for (layer, (own, sound)) in self.layers.iter().zip(state.own.iter_mut().zip(&state.sound)) {
            let Buffers { rounded, mixed, more, qkv, .. } = &mut *b;
            mixed.resize(width, 0.0);
            layer.own.norm.round(&mut p, &x, rounded);
            product(&mut p, &layer.own.qkv.each_ref().map(Linear::side), rounded, qkv);
            if let Positions::Turned(turns) = &self.positions {
                turns.apply(&mut p, self.heads, state.position, qkv);
            }
            own.write(state.position, qkv);
            own.look(&mut p, state.position + 1, (qkv, row), mixed);
            rounded.round(&mut p, mixed, width);
            product(&mut p, &[layer.own.out.side()], rounded, more);
            add(&mut x, more);

            layer.sound.norm.round(&mut p, &x, rounded);
            product(&mut p, &[layer.sound.qkv[0].side()], rounded, qkv);
            sound.look(&mut p, state.heard, (qkv, width), mixed);
            rounded.round(&mut p, mixed, width);
            product(&mut p, &[layer.sound.out.side()], rounded, more);
            add(&mut x, more);

            layer.feed.add(&mut p, b, &mut x);
        }
        state.position += 1;
        self.norm.round(&mut p, &x, &mut b.rounded);
        b.x = x;
        product(&mut p, &[self.embedding.side()], &b.rounded, &mut b.scores);
        Some(&mut b.scores)
    }
}
