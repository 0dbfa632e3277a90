//! `models compress`: a smaller, faster model from a larger one, and what that costs, measured.
//!
//! Floor 2. In: a GGUF file and a text like what the model will see. Out: another GGUF file and a [`Report`]. The text is cut into sequences: most of them say what matters
//! ([`layers`]), the rest is held out and judged, by the same slow arithmetic, before and after. Then layers, query heads and feed-forward channels go ([`prune`]) and the matrices are
//! rounded with the error weighed ([`quantize`]), or made up for by what is rounded after it ([`carry`]). Nothing is trained again, so what is pruned is lost: the report says how much, by the text and by
//! questions about facts in the prompt, which is what the model is for here ([`task`]).
//! On request all but the commonest tokens go ([`vocabulary`]). What is left of embedding and head, norms and biases stay as they are.

mod carry;
mod layers;
mod prune;
mod quantize;
mod task;
mod trial;
mod vocabulary;
mod write;

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};

use self::layers::{Columns, Head, Seen, embed, failed};
use self::trial::trial;
pub use self::trial::{ANSWER, QUESTION, Speed, Tried};
use self::vocabulary::Vocabulary;
use super::LlmError;
use super::gguf::{GgufFile, Shape};
use super::tokenizer::GgufTokenizer;
use super::transformer::{KvCache, Layer};
use crate::base::Clock;
use crate::model::language::TextCodec;

/// Tokens of one sequence.
const SEQUENCE: usize = 256;
/// Most sequences that are looked at, and how many of them are held out at the least and at the most.
const MOST: usize = 64;
const LEAST: usize = 5;
/// Feed-forward channels go in steps of this: kernels take rows in blocks of 256.
const STEP: usize = 256;

/// How the matrices of the layers are held in the new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// 4 bits a weight and a scale for 32 of them; errors are made up for by others, of the way down weighed.
    Q4_0,
    /// 8 bits a weight and a scale for 32 of them.
    Q8_0,
    /// Those of more than five bits with five and a scale for 32 of them, the error weighed; the others as they are, so nothing is cut out of them.
    AtMostFive,
    /// Codes of more than four bits with four, what the rounding of one value does wrong made up for by others ([`carry`]); keys, values and the way down as [`Format::AtMostFive`] has them; the others as they
    /// are, so nothing is cut out of them.
    AtMostFour,
    /// As they are: then nothing is cut out of them.
    AsIs,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted {
    /// Of the matrices.
    pub format: Format,
    /// How many layers go.
    pub layers: usize,
    /// Share of the feed-forward channels that go, `0.0..1.0`.
    pub channels: f32,
    /// How many query heads go of those that share a kv head.
    pub heads: usize,
    /// About how many tokens stay, beside those that the text uses; `None`: all.
    pub tokens: Option<usize>,
    /// How many questions the models are asked, see `task`.
    pub questions: usize,
    /// Bytes of memory that may be taken: the file that is read is run with its weights in 16 bits, too, if they suffice.
    pub memory: u64,
}

impl Format {
    /// Whether errors are made up for by other values.
    const fn carries(self) -> bool {
        matches!(self, Self::Q4_0 | Self::AtMostFour)
    }
}

impl Wanted {
    /// Whether matrices are to stay as they are and to be cut, which rounds them anew.
    #[must_use]
    pub fn cuts_what_is_kept(&self) -> bool {
        !matches!(self.format, Format::Q4_0 | Format::Q8_0) && (self.channels > 0.0 || self.heads > 0)
    }

    fn check(&self, file: &GgufFile, shape: &Shape) -> Result<(), LlmError> {
        if self.layers > 0 && shape.layers.saturating_sub(self.layers) < 3 {
            return Err(file.unsupported(format!("it has {} layers: at least 3 must stay", shape.layers)));
        }
        if self.cuts_what_is_kept() {
            let rounded = "matrices that channels or heads are taken from are rounded anew: as q4_0 or q8_0";
            return Err(file.unsupported(rounded));
        }
        Ok(())
    }
}

/// What a model is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Length of the file.
    pub bytes: u64,
    /// On the text that was held out, for each token of the file that was read.
    pub perplexity: f64,
    /// What it answered, and how fast.
    pub tried: Tried,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The file that was read.
    pub before: Measured,
    /// The file that was written. A question with its answer is as much text as for the other.
    pub after: Measured,
    /// The file that was read, its weights in 16 bits, as before anything was quantized: its size without what else is in a file, and what it did, if [`Wanted::memory`] sufficed. Its
    /// perplexity is that of the file: the same weights are judged in floats.
    pub sixteen: (u64, Option<Tried>),
    /// Bytes of memory that running it so needs.
    pub needed: u64,
    /// Share of the held-out tokens at which both think the same token the likeliest next.
    pub agreement: f64,
    /// Tokens that were held out.
    pub judged: usize,
    /// Layers that went, by their number in the file that was read.
    pub dropped: Vec<usize>,
    /// Feed-forward channels of each layer, before and after.
    pub channels: (usize, usize),
    /// Query heads of each layer, before and after.
    pub heads: (usize, usize),
    /// Tokens of the vocabulary, before and after.
    pub tokens: (usize, usize),
    /// How many times the tokens of before the held-out text takes.
    pub longer: f64,
}

/// Where the work is: `what`, `done` of `all`.
pub type Tell<'a> = &'a dyn Fn(&str, usize, usize);

/// Reads `from`, writes `to`. Takes minutes; memory for one layer in floats, the embedding in floats, the new file, and with four bits three matrices of the network's width a layer in floats (0.23 GB for
/// one of 896 and 24 layers); at the end both files and, if there is as much ([`Wanted::memory`]), the first one in 16 bits.
///
/// # Errors
/// [`LlmError`]: a file that cannot be used, a text that is too short, a file that cannot be written. Then there is no `to`.
pub fn compress(
    (from, to): (&Path, &Path),
    text: &str,
    wanted: Wanted,
    clock: &dyn Clock,
    tell: Tell<'_>,
) -> Result<Report, LlmError> {
    let mut file = GgufFile::open(from)?;
    let shape = file.shape()?;
    wanted.check(&file, &shape)?;
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.len());
    let (in_16_bits, reading) = file.bytes_in_16_bits();
    let needed = reading + 2 * length(from);
    let sequences = cut(&file, text)?;
    let (taught, held) = sequences.split_at(sequences.len() - held_out(sequences.len()));
    let told = |i: usize| tell("looking at the model", i, shape.layers);
    let mut looked = look(&mut file, &shape, (taught, held, wanted.format.carries()), &told)?;
    let used = taught.iter().flatten().copied();
    let vocabulary = wanted.tokens.map(|count| vocabulary::of_file(&file, used, count)).transpose()?;
    let plan = Plan::make(&shape, std::mem::take(&mut looked.seen), (wanted, vocabulary));
    write::write(&mut file, to, &shape, &plan, tell)?;
    let judged = (|| -> Result<_, LlmError> {
        let mut small = GgufFile::open(to)?;
        let (codecs, smaller) = ((GgufTokenizer::from_gguf(&file)?, GgufTokenizer::from_gguf(&small)?), small.shape()?);
        let held_again = plan.spell((&codecs.0, &codecs.1), held);
        let told = |i: usize| tell("judging the new one", i, smaller.layers);
        let again = look(&mut small, &smaller, (&[], &held_again, false), &told)?;
        let first = plan.spell((&codecs.0, &codecs.1), &sequences[..1]);
        let tokens = [sequences[0].as_slice(), &first[0]];
        let tried = trial((from, to), needed <= wanted.memory, (tokens, wanted.questions), clock, tell)?;
        let before = Foreseen::new(&codecs.0, held, &looked, Some);
        let after = Foreseen::new(&codecs.1, &held_again, &again, |token| plan.number_before(token));
        Ok((before, after, tried, smaller.vocabulary))
    })();
    // A file that cannot be read again is not left behind.
    let (before, after, tried, tokens) = judged.inspect_err(|_| drop(std::fs::remove_file(to)))?;
    let (judged, agreement) = before.agreement(&after);
    let measured = |path: &Path, foreseen: &Foreseen, tried: Tried| Measured {
        bytes: length(path),
        perplexity: (foreseen.nats_per_byte * before.bytes as f64 / before.words.len() as f64).exp(),
        tried,
    };
    let longer = after.tokens_per_byte() / before.tokens_per_byte();
    let mut new = measured(to, &after, tried[1]);
    new.tried.speed.answer_ms *= longer;
    Ok(Report {
        before: measured(from, &before, tried[0]),
        after: new,
        sixteen: (in_16_bits, tried.get(2).copied()),
        needed,
        agreement,
        judged,
        channels: (shape.feed_forward, plan.channels.first().map_or(shape.feed_forward, Vec::len)),
        heads: (shape.heads, plan.heads.first().map_or(shape.heads, Vec::len)),
        tokens: (shape.vocabulary, tokens),
        longer,
        dropped: plan.dropped,
    })
}

/// What a model makes of the held-out text, by the text's bytes: vocabularies differ.
struct Foreseen {
    /// After so many bytes: the likeliest next token, by its number in the file that was read; `None`: it has none there.
    words: BTreeMap<usize, Option<u32>>,
    /// Bytes that were foretold.
    bytes: usize,
    /// Bytes and tokens of all of it.
    all: usize,
    tokens: usize,
    nats_per_byte: f64,
}

impl Foreseen {
    fn new(codec: &GgufTokenizer, held: &[Vec<u32>], looked: &Looked, number: impl Fn(u32) -> Option<u32>) -> Self {
        let (mut words, mut likeliest) = (BTreeMap::new(), looked.likeliest.iter());
        let (mut at, mut bytes) = (0, 0);
        for tokens in held {
            for (i, token) in tokens.iter().enumerate() {
                let length = codec.bytes(*token).len();
                at += length;
                bytes += if i > 0 { length } else { 0 };
                // Nothing was foretold after the last.
                if i + 1 < tokens.len()
                    && let Some(word) = likeliest.next()
                {
                    words.insert(at, number(*word));
                }
            }
        }
        let tokens = held.iter().map(Vec::len).sum();
        Self { words, bytes, all: at, tokens, nats_per_byte: looked.surprise / bytes.max(1) as f64 }
    }

    /// How many tokens both were judged by, and at which share of them both think the same the likeliest next.
    fn agreement(&self, after: &Self) -> (usize, f64) {
        // The last tokens that make no whole sequence are not judged.
        let judged = self.words.range(..=after.all).count();
        let same = self.words.iter().filter(|(at, word)| after.words.get(at) == Some(word)).count();
        (judged, same as f64 / judged.max(1) as f64)
    }

    fn tokens_per_byte(&self) -> f64 {
        self.tokens as f64 / self.all.max(1) as f64
    }
}

/// A fifth, but no more than two thousand tokens.
const fn held_out(sequences: usize) -> usize {
    let fifth = sequences / 5;
    if fifth < 8 { fifth } else { 8 }
}

/// The text as sequences of tokens.
fn cut(file: &GgufFile, text: &str) -> Result<Vec<Vec<u32>>, LlmError> {
    let tokens = GgufTokenizer::from_gguf(file)?.encode(text);
    let whole: Vec<Vec<u32>> = tokens.chunks_exact(SEQUENCE).map(<[u32]>::to_vec).collect();
    if whole.len() < LEAST {
        return Err(LlmError::TooShort { have: tokens.len(), need: LEAST * SEQUENCE });
    }
    // From all over the text, not its beginning.
    let step = whole.len().div_ceil(MOST);
    Ok(whole.into_iter().step_by(step).collect())
}

/// What running the texts through a model showed.
struct Looked {
    /// Of each layer, by the first texts; and the energies that each channel of attention and of the feed-forward block adds.
    seen: Vec<(Columns, [Vec<f32>; 2])>,
    /// By the others: the likeliest token after each, and the sum of the surprises.
    likeliest: Vec<u32>,
    surprise: f64,
}

fn look(
    file: &mut GgufFile,
    shape: &Shape,
    (taught, held, grams): (&[Vec<u32>], &[Vec<u32>], bool),
    told: &dyn Fn(usize),
) -> Result<Looked, LlmError> {
    let all = [taught, held].concat();
    let mut states = embed(file, shape, &all)?;
    // Of one layer at a time, and each sequence from its beginning.
    let cache = KvCache::new(&Shape { layers: 1, ..*shape }, SEQUENCE, &Device::Cpu);
    let (cache, place) = cache.and_then(|c| c.place(SEQUENCE).map(|p| (c, p))).map_err(|e| failed(file, &e))?;
    let mut seen = Vec::new();
    for i in 0..shape.layers {
        told(i);
        let layer = Layer::load_dense(file, i, shape)?;
        let mut run = || {
            let mut sums = Seen::new(grams);
            for (at, x) in states.iter_mut().enumerate() {
                let counted = at < taught.len();
                let mut watch = |inputs: [&Tensor; 4]| if counted { sums.inputs(inputs) } else { Ok(()) };
                let out = layer.forward(shape, x, &[(cache.of(0), &place)], &mut watch)?;
                if counted {
                    sums.passed(x, &out)?;
                }
                *x = out;
            }
            let columns = sums.columns()?;
            let [output, down] = layer.energies()?;
            let energy = |h: &[f32], w: Vec<f32>| h.iter().zip(w).map(|(h, w)| h * w).collect();
            let energies = [energy(&columns.output, output), energy(&columns.down, down)];
            Ok((columns, energies))
        };
        seen.push(run().map_err(|e| failed(file, &e))?);
    }
    let head = Head::load(file, shape)?;
    let (mut likeliest, mut surprise) = (Vec::new(), 0.0);
    for (x, tokens) in states[taught.len()..].iter().zip(held) {
        let (words, nats) = head.judge(shape, x, tokens).map_err(|e| failed(file, &e))?;
        likeliest.extend(words);
        surprise += nats;
    }
    Ok(Looked { seen, likeliest, surprise })
}

/// What goes where.
struct Plan {
    wanted: Wanted,
    /// What stays of the vocabulary; `None`: all.
    vocabulary: Option<Vocabulary>,
    dropped: Vec<usize>,
    /// Of each layer that was: the channels that stay.
    channels: Vec<Vec<usize>>,
    /// The query heads that stay.
    heads: Vec<Vec<usize>>,
    /// Of each layer that was.
    columns: Vec<Columns>,
}

impl Plan {
    fn make(
        shape: &Shape,
        seen: Vec<(Columns, [Vec<f32>; 2])>,
        (wanted, vocabulary): (Wanted, Option<Vocabulary>),
    ) -> Self {
        let influence: Vec<f32> = seen.iter().map(|(c, _)| c.influence).collect();
        let keep = prune::channels_left(shape.feed_forward, wanted.channels, STEP);
        let heads = |energy: &[f32]| {
            let score: Vec<f32> = energy.chunks_exact(shape.head_width).map(|head| head.iter().sum()).collect();
            prune::heads_to_keep(&score, shape.kv_heads, wanted.heads)
        };
        Self {
            wanted,
            vocabulary,
            dropped: prune::layers_to_drop(&influence, wanted.layers),
            channels: seen.iter().map(|(_, [_, energy])| prune::channels_to_keep(energy, keep)).collect(),
            heads: seen.iter().map(|(_, [energy, _])| heads(energy)).collect(),
            columns: seen.into_iter().map(|(columns, _)| columns).collect(),
        }
    }

    /// The same text in tokens of the new file.
    fn spell(&self, (before, after): (&GgufTokenizer, &GgufTokenizer), texts: &[Vec<u32>]) -> Vec<Vec<u32>> {
        let Some(vocabulary) = &self.vocabulary else { return texts.to_vec() };
        let as_they_are = |tokens: &Vec<u32>| tokens.iter().map(|token| vocabulary.number(*token)).collect();
        if let Some(same) = texts.iter().map(as_they_are).collect::<Option<Vec<Vec<u32>>>>() {
            return same;
        }
        let bytes: Vec<u8> = texts.iter().flatten().flat_map(|token| before.bytes(*token)).copied().collect();
        let tokens = after.encode(&String::from_utf8_lossy(&bytes));
        tokens.chunks_exact(SEQUENCE).map(<[u32]>::to_vec).collect()
    }

    /// The number that a token of the new file had before.
    fn number_before(&self, token: u32) -> Option<u32> {
        match &self.vocabulary {
            Some(vocabulary) => vocabulary.kept.get(token as usize).copied(),
            None => Some(token),
        }
    }
}

/// What [`Tensor`] operations give.
type Made = candle_core::Result<Tensor>;

#[cfg(test)]
mod tests;
