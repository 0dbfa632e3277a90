//! Matrix products and attention on the processor, for the formats that language models are kept in and for networks in 8 bits.
//!
//! Floor 2. In: weights of 4, 5 or 8 bits with a scale for every 32 values, or in f16; activations in f32. Out: f32. Loses: what rounding activations to
//! 8 bits loses, but for weights in f16. The only folder that may use `unsafe` and `core::arch`; every kernel has a scalar twin, and tests hold them to it.
//!
//! Why not candle's: for the formats in a Q4_K_M file of a narrow model (Q5_0, Q4_1) it has no vector kernel, for the others only one for rows
//! of a multiple of 256, and its threads spin. `docs/performance.md` has the figures.
//!
//! - `level`: what this processor can do, asked once at run time. `pack`: how weights lie. `activation`: how inputs are rounded.
//! - `scalar`, `avx2`, `avx512`: one strip of 16 rows times some tokens; `sixteen`: the same for weights in f16; `ahead`: what is read next. `product`: whole matrices.
//! - `tiles`: many pixels times several matrices, and the curve that follows (`curve`).
//! - `vector`, `smooth`: what stands between products. `dense`: products in f32. `attention`: keys, values, softmax. `team`: threads that sleep.

#![allow(unsafe_code, reason = "vector instructions and threads that share a buffer; each block says why it is sound")]

mod activation;
#[cfg(target_arch = "x86_64")]
mod ahead;
mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod curve;
mod dense;
mod level;
mod pack;
mod product;
mod scalar;
mod sixteen;
mod smooth;
mod team;
mod tiles;
mod vector;

#[cfg(test)]
mod tests;

pub use activation::Activations;
pub use attention::{Heads, KeyValues};
pub use curve::{Curve, Finish, finish};
pub use dense::Dense;
pub use level::Level;
pub use pack::{Bits, Block, Packed, ROWS};
pub use product::{Product, Side, gated, multiply, multiply_some};
pub use smooth::{gelu, layer_norm, tanh};
pub use team::Team;
pub use tiles::{Grid, Tokens, Weights, convolve};
pub use vector::{add, swish, taps, turn};
