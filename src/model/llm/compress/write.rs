//! The new file: metadata with the sizes that changed, tensors that stay as they are, matrices cut and rounded.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Tensor};

use super::carry::Carry;
use super::layers::failed;
use super::quantize::{BLOCK, to_q4_0, to_q5_0, to_q8_0};
use super::{Format, GgufFile, LlmError, Made, Plan, Shape, Tell};

pub(super) fn write(
    file: &mut GgufFile,
    to: &Path,
    shape: &Shape,
    plan: &Plan,
    tell: Tell<'_>,
) -> Result<(), LlmError> {
    let kept: Vec<usize> = (0..shape.layers).filter(|i| !plan.dropped.contains(i)).collect();
    let mut tensors: Vec<(String, QTensor)> = Vec::new();
    for name in ["token_embd.weight", "output_norm.weight", "output.weight"] {
        if file.has(name) {
            let whole = file.whole(name)?;
            // Both are a row for each token.
            let cut = match plan.vocabulary.as_ref().filter(|_| name != "output_norm.weight") {
                Some(vocabulary) => vocabulary.rows(&whole).map_err(|e| failed(file, &e))?,
                None => whole,
            };
            tensors.push((name.to_owned(), cut));
        }
    }
    for (new, old) in kept.iter().enumerate() {
        tell("writing", new, kept.len());
        layer(file, shape, plan, (*old, new), &mut tensors)?;
    }
    let metadata = metadata(file, shape, plan, kept.len())?;
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(k, v)| (k.as_str(), v)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(k, v)| (k.as_str(), v)).collect();
    // Under another name until it is whole.
    let part = to.with_extension("part");
    let save = || -> candle_core::Result<()> {
        let mut out = BufWriter::new(File::create(&part)?);
        gguf_file::write(&mut out, &metadata, &tensors)?;
        out.flush()?;
        out.get_ref().sync_all()?;
        Ok(std::fs::rename(&part, to)?)
    };
    save().map_err(|e| {
        drop(std::fs::remove_file(&part));
        LlmError::Write { path: to.to_owned(), reason: e.to_string() }
    })
}

/// Everything that the file said, but the sizes that changed.
fn metadata(file: &GgufFile, shape: &Shape, plan: &Plan, layers: usize) -> Result<BTreeMap<String, Value>, LlmError> {
    let arch = file.text("general.architecture")?.to_owned();
    let count = |n: usize| Value::U32(u32::try_from(n).unwrap_or(u32::MAX));
    // ggml's `LLAMA_FTYPE_MOSTLY_…`, which readers show to people.
    let file_type = match plan.wanted.format {
        Format::Q4_0 => Some(2),
        Format::Q8_0 => Some(7),
        Format::AtMostFive | Format::AtMostFour | Format::AsIs => None,
    };
    let changed = [
        (format!("{arch}.block_count"), count(layers)),
        (format!("{arch}.feed_forward_length"), count(plan.channels.first().map_or(0, Vec::len))),
    ];
    let mut all: BTreeMap<String, Value> = file.metadata().map(|(k, v)| (k.clone(), v.clone())).collect();
    all.extend(changed);
    all.extend(file_type.map(|kind| ("general.file_type".to_owned(), Value::U32(kind))));
    let heads = plan.heads.first().map_or(shape.heads, Vec::len);
    if heads != shape.heads {
        all.insert(format!("{arch}.attention.head_count"), count(heads));
        // Without these, readers divide the width by the heads.
        for kind in ["key", "value"] {
            all.insert(format!("{arch}.attention.{kind}_length"), count(shape.head_width));
        }
    }
    if let Some(vocabulary) = &plan.vocabulary {
        vocabulary.cut(&arch, &mut all);
    }
    Ok(all)
}

/// Layer `old` as layer `new`.
fn layer(
    file: &mut GgufFile,
    shape: &Shape,
    plan: &Plan,
    (old, new): (usize, usize),
    out: &mut Vec<(String, QTensor)>,
) -> Result<(), LlmError> {
    let from = |part: &str| format!("blk.{old}.{part}");
    let to = |part: &str| format!("blk.{new}.{part}");
    for part in ["attn_norm.weight", "ffn_norm.weight", "attn_k.bias", "attn_v.bias"] {
        if file.has(&from(part)) {
            out.push((to(part), file.whole(&from(part))?));
        }
    }
    let (columns, w) = (&plan.columns[old], shape.head_width);
    let channels = &plan.channels[old];
    let queries: Vec<usize> = plan.heads[old].iter().flat_map(|h| h * w..(h + 1) * w).collect();
    if file.has(&from("attn_q.bias")) {
        let bias = file.floats(&from("attn_q.bias"), &[shape.queries()], &Device::Cpu)?;
        let cut = at(&bias, &queries, 0).and_then(|b| QTensor::quantize(&b, GgmlDType::F32));
        out.push((to("attn_q.bias"), cut.map_err(|e| failed(file, &e))?));
    }
    let of = |columns: &[f32], stay: &[usize]| stay.iter().map(|c| columns[*c]).collect::<Vec<f32>>();
    let (output, down) = (of(&columns.output, &queries), of(&columns.down, channels));
    let (wide, kv, width) = (shape.feed_forward, shape.kv_heads * w, shape.width);
    let [attention, mixed, feed] = columns.carries();
    // Columns that go cannot make up for others.
    let mixed = mixed.filter(|_| queries.len() == shape.queries());
    let (attention, mixed, feed) = (attention.as_ref(), mixed.as_ref(), feed.as_ref());
    let parts: [Part<'_>; 7] = [
        ("attn_q.weight", [shape.queries(), width], &columns.attention, Some((&queries, 0)), attention),
        ("attn_k.weight", [kv, width], &columns.attention, None, attention),
        ("attn_v.weight", [kv, width], &columns.attention, None, attention),
        ("attn_output.weight", [width, shape.queries()], &output, Some((&queries, 1)), mixed),
        ("ffn_gate.weight", [wide, width], &columns.feed, Some((channels, 0)), feed),
        ("ffn_up.weight", [wide, width], &columns.feed, Some((channels, 0)), feed),
        ("ffn_down.weight", [width, wide], &down, Some((channels, 1)), None),
    ];
    for (part, dims, weights, cut, carry) in parts {
        let whole = file.tensor(&from(part), &dims, &Device::Cpu)?;
        // All query heads look at the same few keys and values, and the way down is nobody's to make up for.
        let fine = matches!(part, "attn_k.weight" | "attn_v.weight" | "ffn_down.weight");
        let Some(dtype) = plan.wanted.format.dtype(whole.dtype(), fine) else {
            out.push((to(part), whole));
            continue;
        };
        let whole = whole.dequantize(&Device::Cpu).map_err(|e| failed(file, &e))?;
        let cut = cut.map_or(Ok(whole.clone()), |(stay, side)| at(&whole, stay, side));
        let made = cut.and_then(|t| rounded(&t, weights, dtype, carry));
        out.push((to(part), made.map_err(|e| failed(file, &e))?));
    }
    Ok(())
}

impl Format {
    /// What a matrix that is held so is rounded to, one that wants to be held `fine` or not; `None`: it stays as it is.
    const fn dtype(self, held: GgmlDType, fine: bool) -> Option<GgmlDType> {
        use GgmlDType::{Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q8_0};
        match (self, held) {
            (Self::Q4_0, _) => Some(Q4_0),
            (Self::Q8_0, _) => Some(Q8_0),
            (Self::AsIs, _) | (Self::AtMostFive | Self::AtMostFour, Q2K | Q3K | Q4_0 | Q4_1 | Q4K) => None,
            (Self::AtMostFour, _) if !fine => Some(Q4_0),
            (Self::AtMostFive | Self::AtMostFour, Q5_0 | Q5_1 | Q5K) => None,
            (Self::AtMostFive | Self::AtMostFour, _) => Some(Q5_0),
        }
    }
}

/// A matrix: its name, its shape, how much each column matters, what stays of it, and how errors are carried on.
type Part<'a> = (&'a str, [usize; 2], &'a [f32], Cut<'a>, Option<&'a Carry>);

/// What stays of a matrix, and whether that are rows (0) or columns (1); `None`: all of it.
type Cut<'a> = Option<(&'a [usize], usize)>;

fn at(whole: &Tensor, stay: &[usize], side: usize) -> Made {
    let ids: Vec<u32> = stay.iter().filter_map(|c| u32::try_from(*c).ok()).collect();
    whole.index_select(&Tensor::new(ids, &Device::Cpu)?, side)
}

/// `weights`: how much each column matters, where errors are not carried on.
fn rounded(matrix: &Tensor, weights: &[f32], dtype: GgmlDType, carry: Option<&Carry>) -> candle_core::Result<QTensor> {
    let (rows, columns) = matrix.dims2()?;
    if columns % BLOCK != 0 {
        candle_core::bail!("rows of {columns} values do not come out even in blocks of {BLOCK}");
    }
    // A column that nothing was ever multiplied with still has to be something.
    let mean = weights.iter().sum::<f32>() / weights.len().max(1) as f32;
    let weights: Vec<f32> = weights.iter().map(|w| w + 1e-3 * mean + f32::MIN_POSITIVE).collect();
    let mut bytes = Vec::new();
    for row in matrix.to_vec2::<f32>()? {
        match (dtype, carry) {
            (GgmlDType::Q4_0, Some(carry)) => carry.to_q4_0(&row, &mut bytes),
            (GgmlDType::Q4_0, None) => to_q4_0(&row, &weights, &mut bytes),
            (GgmlDType::Q5_0, _) => to_q5_0(&row, &weights, &mut bytes),
            _ => to_q8_0(&row, &mut bytes),
        }
    }
    QTensor::new(QStorage::from_data(bytes.into(), &Device::Cpu, dtype)?, (rows, columns))
}
