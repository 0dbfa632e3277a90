//! EfficientNet-Lite, channels last, built from the published TFLite file.
//!
//! Floor 2. In: RGB bytes of `side * side`. Out: logits and pooled features. Loses: what rounding to 8 bits loses.
//! Source: Tan & Le, "EfficientNet" (arXiv:1905.11946); tensorflow/tpu `models/official/efficientnet/lite`; operator semantics from
//! `tensorflow/lite/kernels`. Differs from the file in: what goes into a matrix product is rounded to 8 bits with a scale for every 32 channels of a pixel
//! (there: one scale for a layer), all else stays f32; no softmax.
//! Pointwise convolutions are products of 8-bit matrices (`kernels::convolve`). Depthwise ones are f32, one run of multiply-adds for every tap, and what they put
//! out is rounded at once for the product behind them: it never goes through memory (`convnet`, which the detector's net and the text finder's share).

use super::tflite::{Table, TfModel, TfOp};
use crate::base::Brake;
use crate::model::convnet::{Depthwise, KERNEL, Matrix, Refused, Window, mean, patches, pointwise, separable};
use crate::model::kernels::{Curve, Finish, Level, Product, Team};

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

/// What one layer does to [pixels, channels].
enum Work {
    /// First layer: patches of the picture as rows, then a product.
    Stem(Window, Matrix),
    Pointwise(Matrix),
    /// A depthwise convolution and the pointwise one behind it.
    Separable(Window, Depthwise, Matrix),
    /// Adds two and holds the sum within limits.
    Add((f32, f32)),
    /// Mean over pixels, of so many channels.
    Pool(usize),
    /// The dense layer; its input are the features.
    Dense(Matrix),
}

struct Layer {
    work: Work,
    inputs: Vec<usize>,
    output: usize,
}

/// The network, and where a picture is computed: buffers grow and are kept.
pub(super) struct Net {
    layers: Vec<Layer>,
    /// Side of the picture it takes, in pixels.
    pub(super) side: usize,
    /// `real = (byte - zero) * scale`
    scale: f32,
    zero: f32,
    slots: usize,
    team: Team,
    spare: Vec<Vec<f32>>,
    /// What was computed of the pictures of a look that is not done, and of the one that was broken off.
    done: Vec<(Vec<u8>, Seen)>,
    begun: Option<Begun>,
    /// Ends a run between two layers.
    pub(super) brake: Brake,
}

/// A picture whose computing was broken off.
struct Begun {
    rgb: Vec<u8>,
    /// The layer that comes next.
    next: usize,
    slots: Vec<Option<Vec<f32>>>,
}

/// Pictures of one look, at most.
const MOST_DONE: usize = 8;

/// Logits, or scores, and features.
pub(super) type Seen = (Vec<f32>, Vec<f32>);

impl Net {
    /// Builds the layers.
    ///
    /// # Errors
    /// Words that say what about the model is not as expected.
    pub(super) fn build(model: &TfModel<'_>, threads: usize) -> Refused<Self> {
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
        Ok(Self {
            layers: layers(model)?,
            side,
            scale,
            zero,
            slots: model.tensors.len(),
            team: Team::new(threads.max(1)).map_err(|e| format!("no thread for it: {e}"))?,
            spare: Vec::new(),
            done: Vec::new(),
            begun: None,
            brake: Brake::default(),
        })
    }

    /// Logits and features of one picture of `side * side` RGB bytes; nothing where it was broken off. Run anew with the same picture it goes on where it was, at least a
    /// layer each time, and what was computed is not computed again, until [`Net::forget`].
    pub(super) fn run(&mut self, rgb: &[u8]) -> Refused<Option<Seen>> {
        if let Some((_, seen)) = self.done.iter().find(|(of, _)| of == rgb) {
            return Ok(Some(seen.clone()));
        }
        let seen = self.run_at(Level::best(), rgb)?;
        if let Some(seen) = seen.as_ref().filter(|_| self.done.len() < MOST_DONE) {
            self.done.push((rgb.to_vec(), seen.clone()));
        }
        Ok(seen)
    }

    /// The look is done.
    pub(super) fn forget(&mut self) {
        self.done.clear();
        self.spare.extend(self.begun.take().into_iter().flat_map(|b| b.slots).flatten());
    }

    fn run_at(&mut self, level: Level, rgb: &[u8]) -> Refused<Option<Seen>> {
        let begun = self.begun.take().filter(|b| b.rgb == rgb);
        let (from, mut slots) = begun.map_or_else(|| (0, vec![None; self.slots]), |b| (b.next, b.slots));
        let (values, p) = ((self.scale, self.zero), &mut Product { level, team: &mut self.team });
        let mut features = Vec::new();
        for (i, layer) in self.layers.iter().enumerate().skip(from) {
            if i > from && self.brake.is_pulled() {
                self.begun = Some(Begun { rgb: rgb.to_vec(), next: i, slots });
                return Ok(None);
            }
            let mut out = self.spare.pop().unwrap_or_default();
            let input = |k: usize| {
                let at = layer.inputs.get(k).and_then(|s| slots[*s].as_deref());
                at.ok_or_else(|| "a layer has no input".to_owned())
            };
            match &layer.work {
                Work::Stem(window, matrix) => {
                    let real = |byte: u8| (f32::from(byte) - values.1) * values.0;
                    patches(p, (window, rgb, 3), real, &mut [matrix.to(room(&mut out, window.pixels(), matrix))])?;
                }
                Work::Pointwise(matrix) => {
                    let x = input(0)?;
                    let to = room(&mut out, x.len() / matrix.inputs, matrix);
                    pointwise(p, x, matrix.inputs, &mut [matrix.to(to)])?;
                }
                Work::Separable(window, depthwise, matrix) => {
                    let to = room(&mut out, window.pixels(), matrix);
                    separable(p, (depthwise, Finish::PLAIN), (window, input(0)?), &mut [matrix.to(to)])?;
                }
                Work::Add(limits) => add(input(0)?, input(1)?, *limits, &mut out),
                Work::Pool(channels) => {
                    out.resize(*channels, 0.0);
                    mean(input(0)?, &mut out);
                }
                Work::Dense(matrix) => {
                    features = input(0)?.to_vec();
                    let to = room(&mut out, features.len() / matrix.inputs, matrix);
                    pointwise(p, &features, matrix.inputs, &mut [matrix.to(to)])?;
                }
            }
            // What no later layer reads is free for the next: the widest layers are tens of megabytes.
            for s in &layer.inputs {
                if !self.layers[i + 1..].iter().any(|l| l.inputs.contains(s)) {
                    self.spare.extend(slots[*s].take());
                }
            }
            slots[layer.output] = Some(out);
        }
        let last = self.layers.last().and_then(|l| slots[l.output].take());
        Ok(Some((last.ok_or("the net has no layers")?, features)))
    }
}

/// The layers in their order. Operators that only change the number format fall away.
fn layers(model: &TfModel<'_>) -> Refused<Vec<Layer>> {
    // Which tensor stands for which.
    let mut same: Vec<usize> = (0..model.tensors.len()).collect();
    let mut layers: Vec<Layer> = Vec::new();
    let mut before: Option<(Window, Depthwise, usize, usize)> = None;
    for op in &model.ops {
        let (Some(&from), Some(&output)) = (op.inputs.first(), op.outputs.first()) else {
            return Err("an operator has no input or output".into());
        };
        let from = same[from];
        if matches!(op.kind, op::QUANTIZE | op::DEQUANTIZE | op::SOFTMAX | op::RESHAPE) {
            same[output] = from;
            continue;
        }
        if op.kind == op::DEPTHWISE_CONV_2D && before.is_none() {
            let (window, depthwise) = depthwise(model, op)?;
            before = Some((window, depthwise, from, output));
            continue;
        }
        let work = work(model, op, layers.is_empty())?;
        let (work, inputs) = match (before.take(), work) {
            (None, Work::Add(limits)) => (Work::Add(limits), op.inputs.iter().take(2).map(|i| same[*i]).collect()),
            (None, work) => (work, vec![from]),
            (Some((window, depthwise, x, between)), Work::Pointwise(matrix)) if from == between => {
                (Work::Separable(window, depthwise, matrix), vec![x])
            }
            _ => return Err("no pointwise convolution follows a depthwise one".into()),
        };
        layers.push(Layer { work, inputs, output });
    }
    if !matches!(layers.last(), Some(Layer { work: Work::Dense(_), .. })) {
        return Err("it does not end in a dense layer".into());
    }
    Ok(layers)
}

/// Room for what a matrix makes of so many pixels.
fn room<'a>(out: &'a mut Vec<f32>, pixels: usize, matrix: &Matrix) -> &'a mut [f32] {
    out.resize(pixels * matrix.rows(), 0.0);
    out
}

fn within((low, high): (f32, f32)) -> Finish {
    Finish::of(Curve::Within(low, high))
}

fn add(a: &[f32], b: &[f32], (low, high): (f32, f32), out: &mut Vec<f32>) {
    out.clear();
    out.extend(a.iter().zip(b).map(|(a, b)| (a + b).max(low).min(high)));
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
        op::ADD if op.inputs.len() == 2 => Ok(Work::Add(limits(op.options.map_or(0, |o| o.byte(0)))?)),
        op::AVERAGE_POOL_2D | op::MEAN => {
            let shape = &model.tensors[op.outputs[0]].shape;
            let pixels: usize = shape.iter().rev().skip(1).product();
            let channels = shape.last().copied().filter(|c| *c > 0 && pixels == 1);
            Ok(Work::Pool(channels.ok_or("it pools less than the whole picture")?))
        }
        op::FULLY_CONNECTED => {
            let (shape, values, bias) = weights(model, op)?;
            let &[_, inputs] = shape else { return Err("a dense layer of odd shape".into()) };
            let limits = limits(op.options.map_or(0, |o| o.byte(0)))?;
            Ok(Work::Dense(Matrix::new(&values, inputs, bias, within(limits))?))
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
    let &[_, rows, columns, inputs] = shape else { return Err("a convolution of odd shape".into()) };
    let window = window(model, op, options, (rows, columns))?;
    let matrix = Matrix::new(&values, rows * columns * inputs, bias, within(limits(options.byte(3))?))?;
    match (first, window.kernel, window.stride, inputs) {
        (_, 1, 1, _) => Ok(Work::Pointwise(matrix)),
        (true, _, _, 3) => Ok(Work::Stem(window, matrix)),
        _ => Err("a wide convolution after the first layer".into()),
    }
}

/// Weights come as (1, rows, columns, channels).
fn depthwise(model: &TfModel<'_>, op: &TfOp<'_>) -> Refused<(Window, Depthwise)> {
    let options = op.options.ok_or("a convolution without options")?;
    let (shape, values, bias) = weights(model, op)?;
    let &[1, rows, columns, channels] = shape else { return Err("a depthwise convolution of odd shape".into()) };
    let window = window(model, op, options, (rows, columns))?;
    if bias.len() != channels
        || values.len() != window.kernel * window.kernel * channels
        || model.tensors[op.inputs[0]].shape.last() != Some(&channels)
    {
        return Err("a depthwise convolution whose channels do not fit".into());
    }
    Ok((window, Depthwise { channels, weight: values, bias, limits: limits(options.byte(4))? }))
}

/// Sizes, stride and padding. With SAME padding the odd pixel goes to the end.
fn window(model: &TfModel<'_>, op: &TfOp<'_>, options: Table<'_>, kernel: (usize, usize)) -> Refused<Window> {
    let (from, to) = (&model.tensors[op.inputs[0]].shape, &model.tensors[op.outputs[0]].shape);
    let (&[_, ih, iw, _], &[_, oh, ow, _]) = (from.as_slice(), to.as_slice()) else {
        return Err("a convolution of something that is not a picture".into());
    };
    let stride = usize::try_from(options.int(1)).unwrap_or(0);
    if kernel.0 != kernel.1 || options.int(1) != options.int(2) || !(1..=8).contains(&stride) || kernel.0 > KERNEL {
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use candle_core::{Device, Tensor};

    use super::{Depthwise, Level, Net, TfModel, limits, op, weights, window};
    use crate::model::convnet::plainly;
    use crate::model::testing::cosine;

    /// The net in f32, operator by operator, with candle's products: logits.
    fn exactly(model: &TfModel<'_>, rgb: &[u8]) -> Vec<f32> {
        let mut slots: Vec<Vec<f32>> = vec![Vec::new(); model.tensors.len()];
        let input = &model.tensors[model.inputs[0]];
        let (scale, zero) = (input.scales[0], input.zeros[0] as f32);
        let mut last = 0;
        for o in &model.ops {
            let x = slots[o.inputs[0]].clone();
            let options = o.options;
            let product = |x: Vec<f32>, limits: (f32, f32)| {
                let (_, values, bias) = weights(model, o).unwrap();
                let inputs = values.len() / bias.len();
                let x = Tensor::from_vec(x.clone(), (x.len() / inputs, inputs), &Device::Cpu).unwrap();
                let w = Tensor::from_vec(values, (bias.len(), inputs), &Device::Cpu).unwrap();
                let sums: Vec<f32> = x.matmul(&w.t().unwrap()).unwrap().flatten_all().unwrap().to_vec1().unwrap();
                sums.iter().enumerate().map(|(i, v)| (v + bias[i % bias.len()]).clamp(limits.0, limits.1)).collect()
            };
            let out: Vec<f32> = match o.kind {
                op::QUANTIZE | op::DEQUANTIZE | op::RESHAPE | op::SOFTMAX => x,
                op::CONV_2D => {
                    let (shape, ..) = weights(model, o).unwrap();
                    let window = window(model, o, options.unwrap(), (shape[1], shape[2])).unwrap();
                    let row = window.kernel * window.kernel * 3;
                    let mut patches = vec![0.0; window.to.0 * window.to.1 * row];
                    let real = |byte: u8| (f32::from(byte) - zero) * scale;
                    patches.chunks_mut(row).enumerate().for_each(|(i, p)| window.patch((rgb, 3), i, p, real));
                    product(if window.kernel == 1 { x } else { patches }, limits(options.unwrap().byte(3)).unwrap())
                }
                op::DEPTHWISE_CONV_2D => {
                    let (shape, weight, bias) = weights(model, o).unwrap();
                    let window = window(model, o, options.unwrap(), (shape[1], shape[2])).unwrap();
                    let limits = limits(options.unwrap().byte(4)).unwrap();
                    plainly(&Depthwise { channels: shape[3], weight, bias, limits }, &window, &x)
                }
                op::ADD => x.iter().zip(&slots[o.inputs[1]]).map(|(a, b)| a + b).collect(),
                op::AVERAGE_POOL_2D | op::MEAN => {
                    let n = *model.tensors[o.outputs[0]].shape.last().unwrap();
                    (0..n).map(|c| x.iter().skip(c).step_by(n).sum::<f32>() / (x.len() / n) as f32).collect()
                }
                op::FULLY_CONNECTED => product(x, (f32::MIN, f32::MAX)),
                other => panic!("operator {other}"),
            };
            last = o.outputs[0];
            slots[last] = out;
        }
        std::mem::take(&mut slots[last])
    }

    #[test]
    fn eight_bits_say_what_f32_says() {
        let dir = std::env::var_os("SIGHTLINE_MODELS").map_or_else(|| PathBuf::from("models"), PathBuf::from);
        let Ok(file) = std::fs::read(dir.join("efficientnet-lite/model.tflite")) else {
            return println!("skipped: no weights under {} (set SIGHTLINE_MODELS)", dir.display());
        };
        let model = TfModel::read(&file).unwrap();
        let mut net = Net::build(&model, 2).unwrap();
        // Rings of changing colour: something for every layer.
        let side = net.side;
        let rgb: Vec<u8> = (0..side * side * 3)
            .map(|i| {
                let (x, y) = ((i / 3 % side) as f32 - 90.0, (i / 3 / side) as f32 - 120.0);
                (127.0 + 120.0 * (x.hypot(y) / (6.0 + (i % 3) as f32)).sin()) as u8
            })
            .collect();
        let wanted = exactly(&model, &rgb);
        let best = |of: &[f32]| (0..of.len()).max_by(|a, b| of[*a].total_cmp(&of[*b]));
        let levels = Level::all();
        for level in levels.iter().filter(|l| levels.len() == 1 || **l != Level::scalar()) {
            let (logits, features) = net.run_at(*level, &rgb).unwrap().unwrap();
            let alike = cosine(&logits, &wanted);
            println!("{}: cosine {alike}", level.name());
            assert!(alike > 0.995 && best(&logits) == best(&wanted), "{}: {alike}", level.name());
            // A second run in the same buffers, broken off at every layer, and once for another picture.
            let other = vec![7; rgb.len()];
            let before = net.run_at(*level, &other).unwrap();
            let broken = |net: &mut Net, rgb: &[u8]| {
                net.brake.clone().armed(6, || {
                    net.brake.pull(1);
                    net.run_at(*level, rgb).unwrap()
                })
            };
            let mut times = 0;
            let seen = loop {
                if let Some(seen) = broken(&mut net, &rgb) {
                    break seen;
                }
                times += 1;
            };
            assert_eq!((seen, times), ((logits.clone(), features.clone()), net.layers.len() - 1), "{}", level.name());
            assert_eq!(broken(&mut net, &rgb), None);
            assert_eq!(net.run_at(*level, &other).unwrap(), before, "{}, another picture", level.name());
            assert_eq!(net.run_at(*level, &rgb).unwrap(), Some((logits, features)), "{}, begun anew", level.name());
        }
    }
}
