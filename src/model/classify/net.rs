//! EfficientNet-Lite in f32, channels last, built from the published TFLite file.
//!
//! Floor 2. In: RGB bytes of `side * side`. Out: logits and pooled features. Loses: nothing.
//! Source: Tan & Le, "EfficientNet" (arXiv:1905.11946); tensorflow/tpu `models/official/efficientnet/lite`; operator semantics from
//! `tensorflow/lite/kernels`. Differs from the file in: activations stay f32 (slightly better than 8 bits), no softmax.
//! Pointwise convolutions are matrix products (candle); depthwise ones are ours (`depthwise.rs`), for channels last makes every tap
//! one run of multiply-adds, where general ONNX kernels took two thirds of the whole time.

use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Tensor};

use super::depthwise::{Depthwise, Window};
use super::tflite::{Table, TfModel, TfOp};

/// `BuiltinOperator` numbers of the TFLite schema.
mod op {
    pub(super) const ADD: i32 = 0;
    pub(super) const AVERAGE_POOL_2D: i32 = 1;
    pub(super) const CONV_2D: i32 = 3;
    pub(super) const DEPTHWISE_CONV_2D: i32 = 4;
    pub(super) const DEQUANTIZE: i32 = 6;
    pub(super) const FULLY_CONNECTED: i32 = 9;
    pub(super) const RESHAPE: i32 = 22;
    pub(super) const SOFTMAX: i32 = 25;
    pub(super) const MEAN: i32 = 40;
    pub(super) const QUANTIZE: i32 = 114;
}

/// What one layer does to (pixels, channels) tensors.
enum Work {
    /// First layer: patches of the picture as rows, then a product.
    Stem(Window, Product),
    Pointwise(Product),
    Depthwise(Depthwise),
    Add(BiasClip),
    /// Mean over pixels.
    Pool,
    /// The dense layer; its input are the features.
    Dense(Product),
}

/// A matrix product with bias and limits.
struct Product {
    /// (in, out)
    weight: Tensor,
    finish: BiasClip,
}

/// Adds a bias per channel (none when empty) and clips, in place.
#[derive(Clone)]
struct BiasClip {
    bias: Vec<f32>,
    limits: (f32, f32),
}

struct Layer {
    work: Work,
    inputs: Vec<usize>,
    output: usize,
}

/// The network.
pub(super) struct Net {
    layers: Vec<Layer>,
    /// Side of the picture it takes, in pixels.
    pub(super) side: usize,
    /// `real = (byte - zero) * scale`
    scale: f32,
    zero: f32,
    slots: usize,
}

/// A refusal in words.
type Refused<T> = Result<T, String>;

impl Net {
    /// Builds the layers.
    ///
    /// # Errors
    /// Words that say what about the model is not as expected.
    pub(super) fn build(model: &TfModel<'_>) -> Refused<Self> {
        let input = *model.inputs.first().ok_or("it has no input")?;
        let tensor = &model.tensors[input];
        let side = match tensor.shape.as_slice() {
            [1, h, w, 3] if h == w && (32..=1024).contains(h) => *h,
            shape => return Err(format!("its input is {shape:?}, not (1, side, side, 3)")),
        };
        #[expect(clippy::cast_precision_loss, reason = "a zero point is an 8-bit value")]
        let (scale, zero) = match (tensor.scales.as_slice(), tensor.zeros.as_slice()) {
            ([s], [z]) => (*s, *z as f32),
            _ => return Err("its input is not quantized".into()),
        };
        // Which tensor stands for which: operators that only change the number format fall away.
        let mut same: Vec<usize> = (0..model.tensors.len()).collect();
        let mut layers = Vec::new();
        for op in &model.ops {
            let (Some(&from), Some(&output)) = (op.inputs.first(), op.outputs.first()) else {
                return Err("an operator has no input or output".into());
            };
            if matches!(op.kind, op::QUANTIZE | op::DEQUANTIZE | op::SOFTMAX | op::RESHAPE) {
                same[output] = same[from];
                continue;
            }
            let work = work(model, op, layers.is_empty())?;
            let count = if matches!(work, Work::Add(_)) { 2 } else { 1 };
            let inputs: Vec<usize> = op.inputs.iter().take(count).map(|i| same[*i]).collect();
            layers.push(Layer { work, inputs, output });
        }
        if !matches!(layers.last(), Some(Layer { work: Work::Dense(_), .. })) {
            return Err("it does not end in a dense layer".into());
        }
        Ok(Self { layers, side, scale, zero, slots: model.tensors.len() })
    }

    /// Logits and features of one picture of `side * side` RGB bytes.
    pub(super) fn run(&self, rgb: &[u8]) -> Refused<(Vec<f32>, Vec<f32>)> {
        self.forward(rgb).map_err(|e| e.to_string())
    }

    fn forward(&self, rgb: &[u8]) -> candle_core::Result<(Vec<f32>, Vec<f32>)> {
        let mut slots: Vec<Option<Tensor>> = vec![None; self.slots];
        let mut features = Vec::new();
        for (i, layer) in self.layers.iter().enumerate() {
            let input = |k: usize| {
                let at = layer.inputs.get(k).and_then(|s| slots[*s].clone());
                at.ok_or_else(|| candle_core::Error::Msg("a layer has no input".into()))
            };
            let out = match &layer.work {
                Work::Stem(window, product) => {
                    let shape = (window.to.0 * window.to.1, window.kernel * window.kernel * 3);
                    let rows = window.patches(rgb, self.scale, self.zero);
                    product.apply(&Tensor::from_vec(rows, shape, &Device::Cpu)?)?
                }
                Work::Pointwise(product) => product.apply(&input(0)?)?,
                Work::Depthwise(depthwise) => input(0)?.apply_op1_no_bwd(depthwise)?,
                Work::Add(finish) => {
                    let out = (input(0)? + input(1)?)?;
                    out.inplace_op1(finish)?;
                    out
                }
                Work::Pool => input(0)?.mean_keepdim(0)?,
                Work::Dense(product) => {
                    let pooled = input(0)?;
                    features = pooled.flatten_all()?.to_vec1()?;
                    product.apply(&pooled)?
                }
            };
            // What no later layer reads is freed at once: the widest layers are tens of megabytes.
            for s in &layer.inputs {
                if !self.layers[i + 1..].iter().any(|l| l.inputs.contains(s)) {
                    slots[*s] = None;
                }
            }
            slots[layer.output] = Some(out);
        }
        let last = self.layers.last().and_then(|l| slots[l.output].take());
        let logits = last.ok_or_else(|| candle_core::Error::Msg("the net has no layers".into()))?;
        Ok((logits.flatten_all()?.to_vec1()?, features))
    }
}

impl Product {
    fn apply(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let out = x.matmul(&self.weight)?;
        out.inplace_op1(&self.finish)?;
        Ok(out)
    }

    /// `values`: (out, in) row by row, as the file has them.
    fn new(values: &[f32], outputs: usize, inputs: usize, finish: BiasClip) -> Refused<Self> {
        if values.len() != outputs * inputs || finish.bias.len() != outputs {
            return Err("weights and bias of a layer do not fit each other".into());
        }
        let turned: Vec<f32> = (0..inputs).flat_map(|i| (0..outputs).map(move |o| values[o * inputs + i])).collect();
        let weight = Tensor::from_vec(turned, (inputs, outputs), &Device::Cpu).map_err(|e| e.to_string())?;
        Ok(Self { weight, finish })
    }
}

impl InplaceOp1 for BiasClip {
    fn name(&self) -> &'static str {
        "bias-clip"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, _layout: &Layout) -> candle_core::Result<()> {
        let CpuStorage::F32(values) = storage else {
            return Err(candle_core::Error::Msg("bias-clip is for f32".into()));
        };
        let (low, high) = self.limits;
        if self.bias.is_empty() {
            if low > f32::MIN || high < f32::MAX {
                values.iter_mut().for_each(|v| *v = v.max(low).min(high));
            }
            return Ok(());
        }
        for row in values.chunks_exact_mut(self.bias.len()) {
            for (v, b) in row.iter_mut().zip(&self.bias) {
                *v = (*v + b).max(low).min(high);
            }
        }
        Ok(())
    }
}

/// Limits of the activation that is fused into an operator: 0 none, 1 `ReLU`, 3 `ReLU6`.
fn limits(fused: u8) -> Refused<(f32, f32)> {
    match fused {
        0 => Ok((f32::MIN, f32::MAX)),
        1 => Ok((0.0, f32::MAX)),
        3 => Ok((0.0, 6.0)),
        other => Err(format!("activation {other}")),
    }
}

fn work(model: &TfModel<'_>, op: &TfOp<'_>, first: bool) -> Refused<Work> {
    match op.kind {
        op::CONV_2D => convolution(model, op, first),
        op::DEPTHWISE_CONV_2D => depthwise(model, op),
        op::ADD if op.inputs.len() == 2 => {
            let limits = limits(op.options.map_or(0, |o| o.byte(0)))?;
            Ok(Work::Add(BiasClip { bias: Vec::new(), limits }))
        }
        op::AVERAGE_POOL_2D | op::MEAN => {
            let shape = &model.tensors[op.outputs[0]].shape;
            let pixels: usize = shape.iter().rev().skip(1).product();
            if pixels == 1 { Ok(Work::Pool) } else { Err("it pools less than the whole picture".into()) }
        }
        op::FULLY_CONNECTED => {
            let (shape, values, bias) = weights(model, op)?;
            let &[outputs, inputs] = shape else { return Err("a dense layer of odd shape".into()) };
            let finish = BiasClip { bias, limits: limits(op.options.map_or(0, |o| o.byte(0)))? };
            Ok(Work::Dense(Product::new(&values, outputs, inputs, finish)?))
        }
        other => Err(format!("operator {other}")),
    }
}

/// Shape, values and bias of a layer's weights.
fn weights<'m>(model: &'m TfModel<'_>, op: &TfOp<'_>) -> Refused<(&'m [usize], Vec<f32>, Vec<f32>)> {
    let &[_, weight, bias] = op.inputs.as_slice() else { return Err("a layer without bias".into()) };
    let (weight, bias) = (&model.tensors[weight], &model.tensors[bias]);
    let lost = "weights of a kind that is not read here, or cut short";
    Ok((&weight.shape, weight.values().ok_or(lost)?, bias.values().ok_or(lost)?))
}

/// Weights come as (out, rows, columns, in).
fn convolution(model: &TfModel<'_>, op: &TfOp<'_>, first: bool) -> Refused<Work> {
    let options = op.options.ok_or("a convolution without options")?;
    let (shape, values, bias) = weights(model, op)?;
    let &[outputs, rows, columns, inputs] = shape else { return Err("a convolution of odd shape".into()) };
    let finish = BiasClip { bias, limits: limits(options.byte(3))? };
    let window = window(model, op, options, (rows, columns))?;
    let product = Product::new(&values, outputs, rows * columns * inputs, finish)?;
    match (first, window.kernel, window.stride, inputs) {
        (_, 1, 1, _) => Ok(Work::Pointwise(product)),
        (true, _, _, 3) => Ok(Work::Stem(window, product)),
        _ => Err("a wide convolution after the first layer".into()),
    }
}

/// Weights come as (1, rows, columns, channels).
fn depthwise(model: &TfModel<'_>, op: &TfOp<'_>) -> Refused<Work> {
    let options = op.options.ok_or("a convolution without options")?;
    let (shape, values, bias) = weights(model, op)?;
    let &[1, rows, columns, channels] = shape else { return Err("a depthwise convolution of odd shape".into()) };
    let window = window(model, op, options, (rows, columns))?;
    if bias.len() != channels || model.tensors[op.inputs[0]].shape.last() != Some(&channels) {
        return Err("a depthwise convolution whose channels do not fit".into());
    }
    Ok(Work::Depthwise(Depthwise { window, channels, weight: values, bias, limits: limits(options.byte(4))? }))
}

/// Sizes, stride and padding. With SAME padding the odd pixel goes to the end.
fn window(model: &TfModel<'_>, op: &TfOp<'_>, options: Table<'_>, kernel: (usize, usize)) -> Refused<Window> {
    let (from, to) = (&model.tensors[op.inputs[0]].shape, &model.tensors[op.outputs[0]].shape);
    let (&[_, ih, iw, _], &[_, oh, ow, _]) = (from.as_slice(), to.as_slice()) else {
        return Err("a convolution of something that is not a picture".into());
    };
    let stride = usize::try_from(options.int(1)).unwrap_or(0);
    if kernel.0 != kernel.1 || options.int(1) != options.int(2) || !(1..=8).contains(&stride) || kernel.0 > 16 {
        return Err(format!("a convolution with kernel {kernel:?} and stride {stride}"));
    }
    let same = options.byte(0) == 0;
    let fits = |out: usize, len: usize| {
        let want = if same { len.div_ceil(stride) } else { (len + stride).saturating_sub(kernel.0) / stride };
        out == want
    };
    if !fits(oh, ih) || !fits(ow, iw) {
        return Err("a convolution whose sizes do not fit".into());
    }
    let pad = |out: usize, len: usize| ((out.saturating_sub(1) * stride + kernel.0).saturating_sub(len)) / 2;
    let pads = if same { (pad(oh, ih), pad(ow, iw)) } else { (0, 0) };
    Ok(Window { kernel: kernel.0, stride, pads, from: (ih, iw), to: (oh, ow) })
}
