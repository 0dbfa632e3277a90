//! From an ONNX graph to the steps of a net.
//!
//! Nodes are taken in the order of the file, in which they can be computed. A node that only moves numbers changes what is known about a name and makes no step.

mod nodes;

use std::collections::HashMap;

use super::Refused;
use super::fold::Linear;
use super::net::Net;
use super::steps::{Reach, Source, Step};
use crate::model::kernels::{Curve, Finish};
use crate::model::onnx_file::{Graph, Tensor};

/// What stands behind a name.
#[derive(Clone)]
enum Known {
    /// A picture: some values side by side.
    Picture(Vec<Source>),
    /// Pictures as lists of pixels, one after the other.
    Pixels(Vec<usize>),
}

/// What is known of a value.
struct Value {
    channels: usize,
    /// It has one pixel, whatever the picture.
    single: bool,
    /// The name that it goes by now.
    name: String,
    /// The step that makes it; none for the picture that goes in.
    step: Option<usize>,
}

/// A plan that is being made.
struct Plan<'g> {
    constants: HashMap<&'g str, &'g Tensor>,
    /// Nodes that read a name.
    uses: HashMap<&'g str, usize>,
    known: HashMap<&'g str, Known>,
    values: Vec<Value>,
    /// Nothing where a step became part of another.
    steps: Vec<Option<Step<Linear>>>,
    /// Sizes of the picture, where they are given.
    size: Option<(usize, usize)>,
}

/// Builds a net for the first output of a graph. It takes `threads`, the caller's among them.
///
/// # Errors
/// Words that say what about the graph is not as expected.
pub(super) fn build(graph: &Graph, threads: usize) -> Refused<Net> {
    let mut constants: HashMap<&str, &Tensor> = graph.tensors.iter().map(|(name, t)| (name.as_str(), t)).collect();
    for node in graph.nodes.iter().filter(|n| n.op == "Constant") {
        if let (Some(name), Some(value)) = (node.outputs.first(), node.tensor("value")) {
            constants.insert(name, value);
        }
    }
    let mut uses: HashMap<&str, usize> = HashMap::new();
    let output = graph.outputs.first().ok_or("it has no output")?;
    for name in graph.nodes.iter().flat_map(|n| &n.inputs).chain(&graph.outputs) {
        *uses.entry(name).or_default() += 1;
    }
    let input = graph.inputs.iter().find(|i| !constants.contains_key(i.name.as_str())).ok_or("it has no input")?;
    let &[_, Some(channels), rows, columns] = input.dims.as_slice() else {
        return Err(format!("its input is {:?}, not a picture", input.dims));
    };
    if !(1..=64).contains(&channels) {
        return Err(format!("its input has {channels} channels"));
    }
    let mut plan =
        Plan { constants, uses, known: HashMap::new(), values: Vec::new(), steps: Vec::new(), size: rows.zip(columns) };
    let value = plan.value(channels, false, None);
    plan.tell(&input.name, value);
    for node in graph.nodes.iter().filter(|n| n.op != "Constant") {
        plan.node(node).map_err(|e| format!("{}: {e}", node.op))?;
    }
    let output = plan.whole(output)?;
    let steps = plan.steps.into_iter().flatten().map(Step::pack).collect::<Refused<_>>()?;
    let channels: Vec<usize> = plan.values.iter().map(|v| v.channels).collect();
    Net::new(steps, &channels, output, plan.size, threads)
}

impl<'g> Plan<'g> {
    fn value(&mut self, channels: usize, single: bool, step: Option<usize>) -> usize {
        self.values.push(Value { channels, single, name: String::new(), step });
        self.values.len() - 1
    }

    /// A step that makes one value.
    fn push(&mut self, channels: usize, single: bool, step: impl FnOnce(usize) -> Step<Linear>) -> usize {
        let to = self.value(channels, single, Some(self.steps.len()));
        self.steps.push(Some(step(to)));
        to
    }

    /// `name` is this value from now on.
    fn tell(&mut self, name: &'g str, value: usize) {
        name.clone_into(&mut self.values[value].name);
        self.known.insert(name, Known::Picture(vec![Source::plain(value, self.values[value].channels)]));
    }

    fn sources(&self, name: &str) -> Refused<Vec<Source>> {
        match self.known.get(name) {
            Some(Known::Picture(sources)) => Ok(sources.clone()),
            Some(Known::Pixels(_)) => Err("a list of pixels where a picture is expected".into()),
            None => Err(format!("nothing is known of {name:?}")),
        }
    }

    /// The one value behind a name, put together if it is not one yet.
    fn plain(&mut self, name: &'g str) -> Refused<usize> {
        let sources = self.sources(name)?;
        if let [one] = sources.as_slice()
            && one.is_plain()
        {
            return Ok(one.value);
        }
        let channels = sources.iter().map(|s| s.channels).sum();
        let value = self.push(channels, false, |to| Step::Join(sources, to));
        self.tell(name, value);
        Ok(value)
    }

    /// The one value behind the name of an output.
    fn whole(&mut self, name: &'g str) -> Refused<usize> {
        match self.known.get(name) {
            Some(Known::Pixels(values)) if values.len() > 1 => {
                let values = values.clone();
                let channels = self.values[values[0]].channels;
                Ok(self.push(channels, false, |to| Step::Stack(values, to)))
            }
            Some(Known::Pixels(values)) => values.first().copied().ok_or_else(|| "an output of nothing".into()),
            _ => self.plain(name),
        }
    }

    /// One source behind a name: a sum can read it enlarged.
    fn one(&mut self, name: &'g str) -> Refused<Source> {
        match self.sources(name)?.as_slice() {
            [one] => Ok(*one),
            _ => self.plain(name).map(|v| Source::plain(v, self.values[v].channels)),
        }
    }

    fn constant(&self, name: &str) -> Option<&'g Tensor> {
        self.constants.get(name).copied()
    }

    /// Nobody reads this value but `readers` nodes that take it by this name.
    fn is_free(&self, name: &str, value: usize, readers: usize) -> bool {
        self.values[value].name == name && self.uses.get(name) == Some(&readers)
    }

    fn step(&mut self, value: usize) -> Option<&mut Step<Linear>> {
        self.steps.get_mut(self.values[value].step?)?.as_mut()
    }

    /// The value that a line for each channel makes of this one.
    fn line(&mut self, x: usize, free: bool, scale: Vec<f32>, shift: Vec<f32>) -> usize {
        if free && self.step(x).is_some_and(|s| s.take_line(x, &scale, &shift)) {
            return x;
        }
        let (channels, single) = (self.values[x].channels, self.values[x].single);
        self.push(channels, single, |to| Step::Map { x, scale, shift, finish: Finish::PLAIN, to })
    }

    /// The value that a curve makes of this one.
    fn bend(&mut self, x: usize, free: bool, finish: Finish) -> usize {
        if free && self.step(x).is_some_and(|s| s.take_curve(x, finish)) {
            return x;
        }
        let (channels, single) = (self.values[x].channels, self.values[x].single);
        let (scale, shift) = (vec![1.0; channels], vec![0.0; channels]);
        self.push(channels, single, |to| Step::Map { x, scale, shift, finish, to })
    }

    /// `x · curve(x)` where the curve was taken for a step of its own: the step goes and both are one curve.
    fn self_gated(&mut self, (x, x_name): (usize, &str), (gate, gate_name): (usize, &str)) -> Option<usize> {
        let gate_is_free = self.is_free(gate_name, gate, 1);
        let (Some(at), Some(Step::Map { x: of, scale, shift, finish, .. })) = (self.values[gate].step, self.step(gate))
        else {
            return None;
        };
        let line = (super::fold::alike(scale)?, super::fold::alike(shift)?);
        let both = match finish.curve {
            Curve::Sigmoid if line == (1.0, 0.0) && *finish == Finish::of(Curve::Sigmoid) => Finish::of(Curve::Silu),
            Curve::Within(0.0, 6.0) if line == (1.0, 3.0) && *finish == Finish::of(Curve::Within(0.0, 6.0)) => {
                Finish { scale: 6.0, ..Finish::of(Curve::HardSwish) }
            }
            _ => return None,
        };
        if *of != x || !gate_is_free {
            return None;
        }
        self.steps[at] = None;
        let free = self.is_free(x_name, x, 2);
        Some(self.bend(x, free, both))
    }

    /// A product of single pixels; with the one before it where both take the same.
    fn product(&mut self, sources: Vec<Source>, free: bool, matrix: Linear) -> usize {
        let (rows, single) = (matrix.bias.len(), sources.iter().all(|s| self.values[s.value].single));
        if let (true, [one]) = (free, sources.as_slice())
            && one.is_plain()
            && let Some(at) = self.values[one.value].step
            && matches!(self.steps[at], Some(Step::Depthwise(..)))
        {
            let to = self.value(rows, single, Some(self.steps.len()));
            let step = self.steps[at].take().map(|s| s.behind(matrix, to).unwrap_or_else(|s| s));
            self.steps.push(step);
            return to;
        }
        let last = self.steps.iter().rposition(Option::is_some);
        if let Some(at) = last
            && matches!(&self.steps[at], Some(Step::Convolution(Reach::Pixels(s), _)) if *s == sources)
        {
            let to = self.value(rows, single, Some(at));
            if let Some(Step::Convolution(_, heads)) = &mut self.steps[at] {
                heads.push((matrix, to));
            }
            return to;
        }
        self.push(rows, single, |to| Step::Convolution(Reach::Pixels(sources), vec![(matrix, to)]))
    }
}
