//! The layers of an encoder, window by window, so that no step takes long.

use super::layers::{Attention, Buffers, Desk, Feed, Linear, Norm, Turns, product};
use crate::model::kernels::{Heads, KeyValues, add};

/// Rows of time that are computed in one step: 3 s of Moonshine's states. What a question may have to wait for is one step.
pub(super) const WINDOW: usize = 128;

/// Transformer layers in which every state looks at every other, and a norm behind them.
pub(super) struct Layers {
    heads: Heads,
    layers: Vec<Layer>,
    norm: Norm,
    turns: Option<Turns>,
}

/// One of them.
pub(super) struct Layer {
    pub(super) attention: Attention,
    pub(super) feed: Feed,
}

/// An utterance on its way through the layers.
pub(super) struct Climb {
    /// The layer it is in, and the next of its rows; before row 0 the layer is not begun.
    at: (usize, Option<usize>),
    /// `[time, width]`.
    x: Vec<f32>,
    /// Queries, keys and values of the layer, `[time, row]`.
    qkv: Vec<f32>,
    kept: KeyValues,
}

impl Layers {
    pub(super) const fn new(heads: Heads, layers: Vec<Layer>, norm: Norm, turns: Option<Turns>) -> Self {
        Self { heads, layers, norm, turns }
    }

    /// Values of a state.
    pub(super) const fn width(&self) -> usize {
        self.heads.heads * self.heads.width
    }

    /// Before the first layer, with its input `x`, `[time, width]`.
    pub(super) fn begin(&self, x: Vec<f32>) -> Climb {
        let kept = KeyValues::new(self.heads, x.len() / self.width());
        Climb { at: (0, None), x, qkv: Vec::new(), kept }
    }

    /// One step; what the last layer put out, `[time, width]`, when there is none left to do.
    pub(super) fn step(&self, climb: &mut Climb, desk: &mut Desk) -> Option<Vec<f32>> {
        let (mut p, b) = desk.open();
        let (width, row) = (self.width(), self.heads.row());
        let Some(layer) = self.layers.get(climb.at.0) else {
            let mut out = vec![0.0; climb.x.len()];
            let states = climb.x.chunks_exact(width).zip(out.chunks_exact_mut(width));
            states.for_each(|(x, out)| self.norm.apply(p.level, x, out));
            return Some(out);
        };
        let time = climb.x.len() / width;
        let Some(from) = climb.at.1 else {
            layer.attention.norm.round(&mut p, &climb.x, &mut b.rounded);
            product(&mut p, &layer.attention.qkv.each_ref().map(Linear::side), &b.rounded, &mut climb.qkv);
            if let Some(turns) = &self.turns {
                turns.apply(&mut p, self.heads, 0, &mut climb.qkv);
            }
            climb.kept.write(0, &climb.qkv);
            climb.at.1 = Some(0);
            return None;
        };
        let rows = WINDOW.min(time - from);
        // Keys and values of all rows are there, so the states may change.
        let x = &mut climb.x[from * width..][..rows * width];
        let Buffers { rounded, mixed, more, .. } = &mut *b;
        mixed.resize(rows * width, 0.0);
        climb.kept.look(&mut p, time, (&climb.qkv[from * row..][..rows * row], row), mixed);
        rounded.round(&mut p, mixed, width);
        product(&mut p, &[layer.attention.out.side()], rounded, more);
        add(x, more);
        layer.feed.add(&mut p, b, x);
        climb.at = if from + rows < time { (climb.at.0, Some(from + rows)) } else { (climb.at.0 + 1, None) };
        None
    }
}
