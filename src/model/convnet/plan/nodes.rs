//! What each operator of ONNX becomes.

use super::{Known, Plan};
use crate::model::convnet::fold::Linear;
use crate::model::convnet::steps::{Source, Step};
use crate::model::convnet::window::Steps;
use crate::model::convnet::{Depthwise, KERNEL, Refused};
use crate::model::kernels::{Curve, Finish};
use crate::model::onnx_file::{Node, Tensor};

/// Pixels along a side over which a greatest is taken, at most.
const WIDEST: usize = 32;
/// Enlargement, at most.
const MOST_ZOOM: usize = 32;
/// Ends of a slice beyond any picture: all that is there.
const TO_THE_END: i64 = 1 << 20;

impl<'g> Plan<'g> {
    /// Takes one node.
    pub(super) fn node(&mut self, node: &'g Node) -> Refused<()> {
        let (Some(x), Some(out)) = (node.inputs.first(), node.outputs.first()) else {
            return Err("it has no input or no output".into());
        };
        let value = match node.op.as_str() {
            "Conv" => self.convolution(node, x)?,
            "ConvTranspose" => self.up(node, x)?,
            "BatchNormalization" => self.normalisation(node, x)?,
            "Add" | "Mul" | "Sub" | "Div" => self.arithmetic(node)?,
            "Relu" => self.curve(x, Curve::Within(0.0, f32::MAX))?,
            "Sigmoid" => self.curve(x, Curve::Sigmoid)?,
            "Clip" => {
                let limit = |i: usize, name: &str, else_: f32| match node.inputs.get(i).filter(|n| !n.is_empty()) {
                    Some(name) => self.constant(name).and_then(one).ok_or("a limit that is not a number"),
                    None => Ok(node.float(name).unwrap_or(else_)),
                };
                let limits = Curve::Within(limit(1, "min", f32::MIN)?, limit(2, "max", f32::MAX)?);
                self.curve(x, limits)?
            }
            "HardSigmoid" => {
                let (alpha, beta) = (node.float("alpha").unwrap_or(0.2), node.float("beta").unwrap_or(0.5));
                let line = self.straight(x, |_| (alpha, beta))?;
                self.bend(line, true, Finish::of(Curve::Within(0.0, 1.0)))
            }
            "GlobalAveragePool" => {
                let x = self.plain(x)?;
                self.push(self.values[x].channels, true, |to| Step::Mean(x, to))
            }
            "MaxPool" => self.most(node, x)?,
            "Resize" => return self.enlarged(node, x, out),
            "Slice" => return self.every_second(node, x, out),
            "Concat" => return self.side_by_side(node, out),
            "Reshape" => return self.pixels(node, x, out),
            "Transpose" => return self.turned(node, x, out),
            _ => return Err("an operator that is not known here".into()),
        };
        self.tell(out, value);
        Ok(())
    }

    fn weights(&self, node: &Node) -> Refused<([usize; 4], &'g [f32])> {
        let weight = node.inputs.get(1).and_then(|n| self.constant(n)).ok_or("its weights are not in the file")?;
        let values = weight.reals().ok_or("its weights are not whole")?;
        let dims = weight.dims.as_slice().try_into().map_err(|_| format!("its weights are {:?}", weight.dims))?;
        Ok((dims, values))
    }

    fn bias(&self, node: &Node, outputs: usize) -> Refused<Vec<f32>> {
        let Some(name) = node.inputs.get(2).filter(|n| !n.is_empty()) else { return Ok(vec![0.0; outputs]) };
        let bias = self.constant(name).and_then(Tensor::reals).filter(|b| b.len() == outputs);
        bias.map(<[f32]>::to_vec).ok_or_else(|| "its bias does not fit its weights".into())
    }

    fn convolution(&mut self, node: &Node, x: &'g str) -> Refused<usize> {
        let ([outputs, inputs, rows, columns], weight) = self.weights(node)?;
        let (bias, steps) = (self.bias(node, outputs)?, window(node, (rows, columns), KERNEL)?);
        let group = node.int("group").unwrap_or(1);
        let channels = self.channels(x)?;
        let taps = rows * columns;
        // From [out, in, taps] to [out, taps, in].
        let turned = |outputs: usize, inputs: usize| {
            let at = move |o: usize, t: usize, i: usize| weight[(o * inputs + i) * taps + t];
            (0..outputs).flat_map(move |o| (0..taps).flat_map(move |t| (0..inputs).map(move |i| at(o, t, i)))).collect()
        };
        if usize::try_from(group) == Ok(channels) && outputs == channels && inputs == 1 && channels > 1 {
            // One output for each input: the channels become the innermost.
            let weight = (0..taps).flat_map(|t| (0..channels).map(move |c| weight[c * taps + t])).collect();
            let depthwise = Depthwise { channels, weight, bias, limits: (f32::MIN, f32::MAX) };
            let x = self.plain(x)?;
            return Ok(self.push(channels, false, |to| Step::Depthwise(steps, depthwise, Finish::PLAIN, x, to)));
        }
        if group != 1 || inputs != channels {
            return Err(format!("{inputs} inputs, groups of {group}, over {channels} channels"));
        }
        let matrix = Linear { inputs: taps * inputs, weight: turned(outputs, inputs), bias, finish: Finish::PLAIN };
        if taps == 1 && steps.stride == 1 && steps.pads == [0; 4] {
            let sources = self.sources(x)?;
            let free = matches!(sources.as_slice(), [one] if self.is_free(x, one.value, 1));
            return Ok(self.product(sources, free, matrix));
        }
        let x = self.plain(x)?;
        let to = self.value(outputs, false, Some(self.steps.len()));
        self.steps.push(Some(Step::Convolution(super::Reach::Patches(steps, x), vec![(matrix, to)])));
        Ok(to)
    }

    /// A transposed convolution whose windows do not overlap: [in, out, 2, 2].
    fn up(&mut self, node: &Node, x: &'g str) -> Refused<usize> {
        let ([inputs, outputs, 2, 2], weight) = self.weights(node)? else {
            return Err("its window is not 2 by 2".into());
        };
        let (bias, steps) = (self.bias(node, outputs)?, window(node, (2, 2), 2)?);
        let rest =
            ["output_padding", "output_shape"].iter().any(|n| node.ints(n).is_some_and(|v| v.iter().any(|v| *v != 0)));
        if steps.stride != 2 || steps.pads != [0; 4] || node.int("group").unwrap_or(1) != 1 || rest {
            return Err("its windows overlap".into());
        }
        if inputs != self.channels(x)? {
            return Err(format!("{inputs} inputs over {} channels", self.channels(x)?));
        }
        let row = |t: usize, o: usize| (0..inputs).map(move |i| weight[(i * outputs + o) * 4 + t]);
        let weight = (0..4).flat_map(|t| (0..outputs).flat_map(move |o| row(t, o))).collect();
        let matrix = Linear { inputs, weight, bias: bias.repeat(4), finish: Finish::PLAIN };
        let x = self.plain(x)?;
        Ok(self.push(outputs, false, |to| Step::Up(x, matrix, to)))
    }

    /// Mean and deviation were learnt: a line for each channel.
    fn normalisation(&mut self, node: &Node, x: &'g str) -> Refused<usize> {
        let channels = self.channels(x)?;
        let numbers = |i: usize| {
            let values = node.inputs.get(i).and_then(|n| self.constant(n)).and_then(Tensor::reals);
            values.filter(|v| v.len() == channels).ok_or("its numbers are not in the file")
        };
        let (gamma, beta, mean, variance) = (numbers(1)?, numbers(2)?, numbers(3)?, numbers(4)?);
        let epsilon = node.float("epsilon").unwrap_or(1e-5);
        self.straight(x, |c| {
            let scale = gamma[c] / (variance[c] + epsilon).sqrt();
            (scale, beta[c] - mean[c] * scale)
        })
    }

    fn arithmetic(&mut self, node: &'g Node) -> Refused<usize> {
        let [a, b] = node.inputs.as_slice() else { return Err("it has not two inputs".into()) };
        let (x, constant) = match (self.constant(a), self.constant(b)) {
            (None, None) if node.op == "Add" => return self.sum(a, b),
            (None, None) if node.op == "Mul" => return self.gated(a, b),
            (None, Some(constant)) => (a, constant),
            (Some(constant), None) if matches!(node.op.as_str(), "Add" | "Mul") => (b, constant),
            _ => return Err("what it takes is not known here".into()),
        };
        let numbers = each_channel(constant, self.channels(x)?)?;
        match node.op.as_str() {
            "Add" => self.straight(x, |c| (1.0, numbers[c])),
            "Sub" => self.straight(x, |c| (1.0, -numbers[c])),
            "Mul" => self.straight(x, |c| (numbers[c], 0.0)),
            _ => self.straight(x, |c| (1.0 / numbers[c], 0.0)),
        }
    }

    /// A line for each channel: scale and shift of channel `c`.
    fn straight(&mut self, x: &'g str, line: impl Fn(usize) -> (f32, f32)) -> Refused<usize> {
        let value = self.plain(x)?;
        let (scale, shift) = (0..self.values[value].channels).map(line).unzip();
        let free = self.is_free(x, value, 1);
        Ok(self.line(value, free, scale, shift))
    }

    fn curve(&mut self, x: &'g str, curve: Curve) -> Refused<usize> {
        let value = self.plain(x)?;
        let free = self.is_free(x, value, 1);
        Ok(self.bend(value, free, Finish::of(curve)))
    }

    /// `a * b`: a curve of one of them, or a factor for each channel.
    fn gated(&mut self, a: &'g str, b: &'g str) -> Refused<usize> {
        let (x, y) = (self.plain(a)?, self.plain(b)?);
        if let Some(value) = self.self_gated((x, a), (y, b)) {
            return Ok(value);
        }
        if let Some(value) = self.self_gated((y, b), (x, a)) {
            return Ok(value);
        }
        let (x, by) = if self.values[y].single { (x, y) } else { (y, x) };
        if !self.values[by].single || self.values[x].channels != self.values[by].channels {
            return Err("a product of two pictures".into());
        }
        let single = self.values[x].single;
        Ok(self.push(self.values[x].channels, single, |to| Step::Scale { x, by, plus: 0.0, to }))
    }

    fn sum(&mut self, a: &'g str, b: &'g str) -> Refused<usize> {
        // `x + x · by` is `x · (by + 1)`.
        for (x, scaled) in [(a, b), (b, a)] {
            let (x, value) = (self.one(x)?, self.one(scaled)?);
            if x.is_plain() && value.is_plain() && self.is_free(scaled, value.value, 1) {
                match self.step(value.value) {
                    Some(Step::Scale { x: of, plus, .. }) if *of == x.value => {
                        *plus += 1.0;
                        return Ok(value.value);
                    }
                    _ => {}
                }
            }
        }
        let (a, b) = (self.one(a)?, self.one(b)?);
        let single = |s: &Source| self.values[s.value].single;
        if a.channels != b.channels || single(&a) != single(&b) {
            return Err("a sum of pictures of other shapes".into());
        }
        let single = single(&a);
        Ok(self.push(a.channels, single, |to| Step::Sum(a, b, to)))
    }

    fn most(&mut self, node: &Node, x: &'g str) -> Refused<usize> {
        let &[rows, columns] = node.ints("kernel_shape").unwrap_or(&[]) else { return Err("it has no window".into()) };
        let side = |n: i64| usize::try_from(n).unwrap_or(0);
        let steps = window(node, (side(rows), side(columns)), WIDEST)?;
        if node.int("ceil_mode").unwrap_or(0) != 0 || steps.pads.iter().any(|p| *p >= steps.kernel) {
            return Err("its windows leave the picture".into());
        }
        let x = self.plain(x)?;
        Ok(self.push(self.values[x].channels, false, |to| Step::Most(x, steps, to)))
    }

    /// Enlarged by a whole factor, each pixel as often: read so by whoever reads it.
    fn enlarged(&mut self, node: &Node, x: &'g str, out: &'g str) -> Refused<()> {
        let text = |name: &str, else_: &'static str| node.text(name).unwrap_or(else_).to_owned();
        let nearest = text("mode", "nearest") == "nearest"
            && text("coordinate_transformation_mode", "half_pixel") == "asymmetric"
            && text("nearest_mode", "round_prefer_floor") == "floor";
        let scales = node.inputs.get(2).and_then(|n| self.constant(n)).and_then(Tensor::reals);
        let Some(&[1.0, 1.0, rows, columns]) = scales.filter(|_| nearest) else {
            return Err("it does not enlarge by whole factors".into());
        };
        let zoom = (1..=MOST_ZOOM).find(|z| [rows, columns] == [f32::from(u8::try_from(*z).unwrap_or(0)); 2]);
        let zoom = zoom.ok_or_else(|| format!("it enlarges by {rows} and {columns}"))?;
        let x = self.plain(x)?;
        if self.values[x].single {
            return Err("it enlarges a single pixel".into());
        }
        let source = Source { zoom, ..Source::plain(x, self.values[x].channels) };
        self.known.insert(out, Known::Picture(vec![source]));
        Ok(())
    }

    /// Every second row or column: YOLOX's first layer reads a picture as four that are interleaved.
    fn every_second(&mut self, node: &Node, x: &'g str, out: &'g str) -> Refused<()> {
        let number = |i: usize| match node.inputs.get(i).and_then(|n| self.constant(n)).and_then(Tensor::ints) {
            Some(&[n]) => Ok(n),
            _ => Err("it is not of one axis"),
        };
        let (start, end, axis, step) = (number(1)?, number(2)?, number(3)?, number(4)?);
        let (start, step) = (usize::try_from(start).unwrap_or(usize::MAX), usize::try_from(step).unwrap_or(0));
        if end < TO_THE_END || !(1..=8).contains(&step) || start >= step {
            return Err(format!("from {start} to {end} by {step}"));
        }
        let mut sources = self.sources(x)?;
        for s in &mut sources {
            if s.zoom != 1 {
                return Err("of an enlarged picture".into());
            }
            let (from, by) = match axis {
                2 => (&mut s.start.0, &mut s.step.0),
                3 => (&mut s.start.1, &mut s.step.1),
                other => return Err(format!("along axis {other}")),
            };
            *from += start * *by;
            *by *= step;
            if *by > 8 {
                return Err("too far apart".into());
            }
        }
        self.known.insert(out, Known::Picture(sources));
        Ok(())
    }

    fn side_by_side(&mut self, node: &'g Node, out: &'g str) -> Refused<()> {
        let lists = node.inputs.iter().map(|n| match self.known.get(n.as_str()) {
            Some(Known::Pixels(values)) => Some(values.clone()),
            _ => None,
        });
        if let Some(lists) = lists.collect::<Option<Vec<_>>>() {
            let values = lists.concat();
            let alike = values.windows(2).all(|v| self.values[v[0]].channels == self.values[v[1]].channels);
            if node.int("axis") != Some(2) || !alike {
                return Err("of lists of pixels, not one behind the other".into());
            }
            self.known.insert(out, Known::Pixels(values));
            return Ok(());
        }
        if node.int("axis") != Some(1) {
            return Err("of pictures, not of channels".into());
        }
        let sources = node.inputs.iter().map(|n| self.sources(n)).collect::<Refused<Vec<_>>>()?.concat();
        let singles = sources.iter().filter(|s| self.values[s.value].single).count();
        if sources.len() > 64 || (singles != 0 && singles != sources.len()) {
            return Err("of too many pictures, or of pictures and single pixels".into());
        }
        self.known.insert(out, Known::Picture(sources));
        Ok(())
    }

    /// (1, channels, rows, columns) as (1, channels, pixels).
    fn pixels(&mut self, node: &Node, x: &'g str, out: &'g str) -> Refused<()> {
        let shape = node.inputs.get(1).and_then(|n| self.constant(n)).and_then(Tensor::ints);
        let channels = self.channels(x)?;
        let fits = |n: i64| usize::try_from(n) == Ok(channels) || n == 0;
        match shape {
            Some(&[1 | 0, c, pixels]) if fits(c) && (pixels == -1 || pixels > 0) => {}
            other => return Err(format!("to {other:?} from {channels} channels")),
        }
        let x = self.plain(x)?;
        self.known.insert(out, Known::Pixels(vec![x]));
        Ok(())
    }

    /// (1, channels, pixels) as (1, pixels, channels), which is how they lie.
    fn turned(&mut self, node: &Node, x: &'g str, out: &'g str) -> Refused<()> {
        match self.known.get(x) {
            Some(Known::Pixels(values)) if node.ints("perm") == Some(&[0, 2, 1]) => {
                let values = values.clone();
                self.known.insert(out, Known::Pixels(values));
                Ok(())
            }
            _ => Err("of something else than a list of pixels".into()),
        }
    }

    fn channels(&self, x: &str) -> Refused<usize> {
        Ok(self.sources(x)?.iter().map(|s| s.channels).sum())
    }
}

/// The number of a constant that is one.
fn one(constant: &Tensor) -> Option<f32> {
    match constant.reals()? {
        [one] => Some(*one),
        _ => None,
    }
}

/// What a constant has for each channel of a picture.
fn each_channel(constant: &Tensor, channels: usize) -> Refused<Vec<f32>> {
    match (constant.reals(), constant.dims.as_slice()) {
        (Some([one]), _) => Ok(vec![*one; channels]),
        (Some(numbers), [c, 1, 1] | [1, c, 1, 1]) if *c == channels => Ok(numbers.to_vec()),
        _ => Err(format!("a constant of {:?} over {channels} channels", constant.dims)),
    }
}

/// Window, stride and padding of a node.
fn window(node: &Node, kernel: (usize, usize), widest: usize) -> Refused<Steps> {
    let stride = node.ints("strides").unwrap_or(&[1, 1]);
    let pads = node.ints("pads").unwrap_or(&[0; 4]);
    let side = |n: i64| usize::try_from(n).ok().filter(|n| *n <= widest);
    let all_ones = node.ints("dilations").is_none_or(|d| d.iter().all(|d| *d == 1));
    let auto = node.text("auto_pad").is_none_or(|a| a.is_empty() || a == "NOTSET");
    match (stride, pads) {
        (&[rows, columns], &[a, b, c, d])
            if rows == columns && kernel.0 == kernel.1 && (1..=widest).contains(&kernel.0) && all_ones && auto =>
        {
            let pads = [side(a), side(b), side(c), side(d)];
            let stride = side(rows).filter(|s| *s > 0);
            if let (Some(stride), [Some(a), Some(b), Some(c), Some(d)]) = (stride, pads) {
                return Ok(Steps { kernel: kernel.0, stride, pads: [a, b, c, d] });
            }
        }
        _ => {}
    }
    Err(format!("a window of {kernel:?}, moved by {stride:?}, with {pads:?} around"))
}
