//! The nets that run on our own kernels, held to what rten computes in f32 from the same file.
//!
//! Tests of real nets need weights (`SIGHTLINE_MODELS`, default `models/`), the table pictures, too (`SIGHTLINE_DATA`); they skip, saying so, where those are missing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::boxes::Boxes;
use super::detector::{letterbox, sides};
use super::graph::{Graph, Threads, load_net};
use super::{Detector, DetectorConfig, Reader, ReaderConfig};
use crate::app::SystemClock;
use crate::base::{BBox, Brake, Clock, RgbFrame};
use crate::decode::{PictureLimits, decode_image};
use crate::model::convnet::Net;
use crate::model::kernels::Level;
use crate::model::onnx_file::{self, writing::*};
use crate::model::resize::{Part, resample};
use crate::watch::testing::frame;
use crate::watch::{DETECTOR, OCR, Perceive, PerceiveError, Pixels, Sighting};

/// A repeatable number within ±1.
fn number(seed: u64, i: usize) -> f32 {
    let mut h = seed.wrapping_add(i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    h ^= h >> 29;
    h = h.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (h >> 40) as f32 / (1 << 23) as f32 - 1.0
}

/// A net that is written node by node.
#[derive(Default)]
struct Writer {
    seed: u64,
    nodes: Vec<Vec<u8>>,
    tensors: Vec<Vec<u8>>,
}

impl Writer {
    fn tensor(&mut self, name: &str, dims: &[u8], around: f32) {
        let (seed, count) =
            (self.seed + self.tensors.len() as u64 * 7919, dims.iter().map(|d| usize::from(*d)).product());
        let values: Vec<f32> = (0..count).map(|i| around + number(seed, i)).collect();
        self.tensors.push(reals(name, dims, &values));
    }

    fn op(&mut self, op: &str, inputs: &[&str], out: &str, attributes: &[Vec<u8>]) {
        self.nodes.push(node(op, inputs, out, attributes));
    }

    /// A convolution from `x` to `out`: weights of `dims`, every side padded by `pad`.
    fn conv(&mut self, x: &str, out: &str, dims: [u8; 4], (stride, pad, group): (u8, u8, u8)) {
        let (w, b) = (format!("{out}_w"), format!("{out}_b"));
        self.tensor(&w, &dims, 0.0);
        self.tensor(&b, &dims[..1], 0.0);
        let attributes = [
            some("kernel_shape", &dims[2..]),
            some("strides", &[stride; 2]),
            some("pads", &[pad; 4]),
            one("group", group),
        ];
        self.op("Conv", &[x, &w, &b], out, &attributes);
    }

    fn silu(&mut self, x: &str, out: &str) {
        let s = format!("{out}_s");
        self.op("Sigmoid", &[x], &s, &[]);
        self.op("Mul", &[x, &s], out, &[]);
    }

    fn constant(&mut self, name: &str, value: f32) {
        self.tensors.push(reals(name, &[1], &[value]));
    }

    /// As Paddle writes it: a line, hard swish, and a line.
    fn hard_swish(&mut self, x: &str, out: &str) {
        let n = |part: &str| format!("{out}_{part}");
        for (name, value) in [("s", 0.7), ("t", 0.4), ("3", 3.0), ("0", 0.0), ("6", 6.0), ("u", -1.3), ("v", 0.2)] {
            self.constant(&n(name), value);
        }
        self.op("Mul", &[&n("s"), x], &n("a"), &[]);
        self.op("Add", &[&n("a"), &n("t")], &n("b"), &[]);
        self.op("Add", &[&n("b"), &n("3")], &n("c"), &[]);
        self.op("Clip", &[&n("c"), &n("0"), &n("6")], &n("d"), &[]);
        self.op("Mul", &[&n("b"), &n("d")], &n("e"), &[]);
        self.op("Div", &[&n("e"), &n("6")], &n("f"), &[]);
        self.op("Mul", &[&n("u"), &n("f")], &n("g"), &[]);
        self.op("Add", &[&n("g"), &n("v")], out, &[]);
    }

    fn enlarge(&mut self, x: &str, out: &str, by: f32) {
        let scales = format!("{out}_scales");
        self.tensors.push(reals(&scales, &[4], &[1.0, 1.0, by, by]));
        let how = [
            word("mode", "nearest"),
            word("coordinate_transformation_mode", "asymmetric"),
            word("nearest_mode", "floor"),
        ];
        self.op("Resize", &[x, "", &scales], out, &how);
    }

    fn every_second(&mut self, x: &str, out: &str, (start, axis): (i64, i64)) {
        let names = ["start", "end", "axis", "step"].map(|n| format!("{out}_{n}"));
        for (name, value) in names.iter().zip([start, i64::MAX, axis, 2]) {
            self.tensors.push(ints(name, &[value]));
        }
        let [a, b, c, d] = names.each_ref();
        self.op("Slice", &[x, a, b, c, d], out, &[]);
    }
}

/// Small nets, each with its channels and one kind of layer.
fn net(kind: usize, seed: u64) -> (u8, Vec<u8>) {
    let mut w = Writer { seed, ..Writer::default() };
    let channels = match kind {
        0 => {
            w.conv("x", "a", [5, 3, 3, 3], (2, 1, 1));
            for (name, around) in [("gamma", 1.0), ("beta", 0.0), ("mean", 0.0), ("variance", 2.0)] {
                w.tensor(name, &[5], around);
            }
            w.op("BatchNormalization", &["a", "gamma", "beta", "mean", "variance"], "n", &[real("epsilon", 1e-5)]);
            w.op("Relu", &["n"], "out", &[]);
            3
        }
        1 => {
            w.conv("x", "a", [7, 32, 3, 3], (1, 1, 1));
            w.silu("a", "out");
            32
        }
        2 => {
            w.conv("x", "a", [20, 1, 5, 5], (2, 2, 20));
            w.hard_swish("a", "b");
            w.conv("b", "c", [9, 20, 1, 1], (1, 0, 1));
            w.hard_swish("c", "d");
            w.conv("d", "e", [9, 1, 3, 3], (1, 1, 9));
            w.conv("e", "out", [4, 9, 1, 1], (1, 0, 1));
            20
        }
        3 => {
            // Two convolutions of one picture; one enlarged beside the other, and added to it.
            w.conv("x", "a", [6, 6, 1, 1], (1, 0, 1));
            w.silu("a", "b");
            w.op(
                "MaxPool",
                &["b"],
                "c",
                &[some("kernel_shape", &[5, 5]), some("strides", &[2, 2]), some("pads", &[2; 4])],
            );
            w.enlarge("c", "d", 2.0);
            w.conv("x", "e", [6, 6, 1, 1], (1, 0, 1));
            w.op("Add", &["d", "e"], "f", &[]);
            w.op("Concat", &["d", "f", "b"], "g", &[one("axis", 1)]);
            w.conv("g", "h", [5, 18, 1, 1], (1, 0, 1));
            w.conv("g", "i", [4, 18, 3, 3], (1, 1, 1));
            w.op("Concat", &["h", "i"], "out", &[one("axis", 1)]);
            6
        }
        4 => {
            w.conv("x", "y", [8, 1, 3, 3], (1, 1, 8));
            w.silu("y", "z");
            w.op("Add", &["z", "x"], "q", &[]);
            w.conv("q", "a", [12, 8, 1, 1], (1, 0, 1));
            w.op("GlobalAveragePool", &["a"], "m", &[]);
            w.conv("m", "b", [3, 12, 1, 1], (1, 0, 1));
            w.op("Relu", &["b"], "c", &[]);
            w.conv("c", "d", [12, 3, 1, 1], (1, 0, 1));
            w.op("HardSigmoid", &["d"], "e", &[real("alpha", 0.2), real("beta", 0.5)]);
            w.op("Mul", &["a", "e"], "f", &[]);
            w.op("Add", &["a", "f"], "out", &[]);
            8
        }
        5 => {
            w.tensor("w", &[10, 6, 2, 2], 0.0);
            w.tensor("b", &[1, 6, 1, 1], 0.0);
            w.op(
                "ConvTranspose",
                &["x", "w"],
                "a",
                &[some("kernel_shape", &[2, 2]), some("strides", &[2, 2]), some("pads", &[0; 4])],
            );
            w.op("Add", &["a", "b"], "c", &[]);
            w.op("Sigmoid", &["c"], "out", &[]);
            10
        }
        6 => {
            for (out, row, column) in [("p", 0, 0), ("q", 1, 0), ("r", 0, 1), ("s", 1, 1)] {
                w.every_second("x", &format!("{out}_rows"), (row, 2));
                w.every_second(&format!("{out}_rows"), out, (column, 3));
            }
            w.op("Concat", &["p", "q", "r", "s"], "a", &[one("axis", 1)]);
            w.conv("a", "out", [16, 12, 3, 3], (1, 1, 1));
            3
        }
        _ => {
            w.tensors.push(ints("shape", &[1, 5, -1]));
            let mut parts = Vec::new();
            for (i, stride) in [1, 2].into_iter().enumerate() {
                let n = |part: &str| format!("{part}{i}");
                w.conv("x", &n("y"), [8, 8, 3, 3], (stride, 1, 1));
                w.conv(&n("y"), &n("box"), [4, 8, 1, 1], (1, 0, 1));
                w.conv(&n("y"), &n("sure"), [1, 8, 1, 1], (1, 0, 1));
                w.op("Sigmoid", &[&n("sure")], &n("sigmoid"), &[]);
                w.op("Concat", &[&n("box"), &n("sigmoid")], &n("all"), &[one("axis", 1)]);
                w.op("Reshape", &[&n("all"), "shape"], &n("list"), &[]);
                parts.push(n("list"));
            }
            w.op("Concat", &[&parts[0], &parts[1]], "lists", &[one("axis", 2)]);
            w.op("Transpose", &["lists"], "out", &[some("perm", &[0, 2, 1])]);
            8
        }
    };
    (channels, file(channels, &w.nodes, &w.tensors, "out"))
}

const KINDS: usize = 8;

/// From channels first to channels last, where there are rows and columns.
fn channels_last(shape: &[usize], data: &[f32]) -> Vec<f32> {
    let &[_, channels, rows, columns] = shape else { return data.to_vec() };
    let pixels = rows * columns;
    (0..pixels).flat_map(|i| (0..channels).map(move |c| data[c * pixels + i])).collect()
}

/// What rten makes of a picture whose channels come last.
fn oracle(graph: &Graph, (rows, columns): (usize, usize), picture: &[f32]) -> Vec<f32> {
    let channels = picture.len() / (rows * columns);
    let planes = (0..channels).flat_map(|c| picture.iter().skip(c).step_by(channels).copied()).collect();
    let out = graph.run([1, channels, rows, columns], planes).unwrap().pop().unwrap();
    channels_last(&out.shape, &out.data)
}

/// How far `a` is from `b`, for the size of `b`.
fn apart(a: &[f32], b: &[f32]) -> f32 {
    let far: f32 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
    (far / b.iter().map(|b| b * b).sum::<f32>().max(1e-12)).sqrt()
}

fn ours(bytes: &[u8], threads: usize) -> Result<Net, String> {
    Net::build(&onnx_file::Graph::read(bytes).map_err(|_| "broken")?, threads)
}

#[test]
fn a_file_of_an_operator_that_our_kernels_do_not_know_runs_in_f32_as_the_same_net() {
    let mut w = Writer { seed: 3, ..Writer::default() };
    w.tensors.push(ints("shape", &[1, 5, -1]));
    w.conv("x", "a", [5, 3, 3, 3], (2, 1, 1));
    let mut files = Vec::new();
    for strange in [false, true] {
        let mut w = Writer { seed: 3, nodes: w.nodes.clone(), tensors: w.tensors.clone() };
        w.op(if strange { "Tanh" } else { "Sigmoid" }, &["a"], "b", &[]);
        w.op("Reshape", &["b", "shape"], "c", &[]);
        w.op("Transpose", &["c"], "out", &[some("perm", &[0, 2, 1])]);
        files.push(file(3, &w.nodes, &w.tensors, "out"));
    }
    let load = |bytes: &Vec<u8>| Boxes::from_bytes(bytes.clone(), Path::new("a.onnx"), &Threads::new(1)).unwrap();
    let (mut own, mut foreign) = (load(&files[0]), load(&files[1]));
    assert!(matches!((&own, &foreign), (Boxes::Own(_), Boxes::Foreign { .. })));
    let paint = |picture: &mut [f32]| picture.iter_mut().enumerate().for_each(|(i, v)| *v = number(9, i));
    let sure = own.run((32, 32), paint).unwrap().unwrap().to_vec();
    // tanh(x) = 2 sigmoid(2x) - 1, so what comes out of the one tells what comes out of the other.
    let inverse = |p: &f32| (p / (1.0 - p)).ln().tanh();
    let wanted: Vec<f32> = sure.iter().map(inverse).collect();
    let got = foreign.run((32, 32), paint).unwrap().unwrap();
    assert!(apart(got, &wanted) < 0.02, "{}", apart(got, &wanted));
    assert!(foreign.shape().is_err(), "it takes pictures of any size, which the detector does not");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(48)))]

    /// Eight bits of inputs and of weights are off by less than a hundredth each; a layer in a wrong place is off by all there is.
    #[test]
    fn small_nets_compute_what_rten_does(
        kind in 0..KINDS, seed in 1..1_u64 << 40, rows in 1..9_usize, columns in 1..9_usize, threads in 1..3_usize,
    ) {
        let (channels, bytes) = net(kind, seed);
        let size = (2 * rows, 2 * columns);
        let graph = Graph::from_bytes(bytes.clone(), Path::new("x.onnx"), "test", &[], &Threads::new(1)).unwrap();
        let picture: Vec<f32> = (0..size.0 * size.1 * usize::from(channels)).map(|i| number(seed ^ 5, i)).collect();
        let wanted = oracle(&graph, size, &picture);
        let mut net = ours(&bytes, threads).unwrap();
        for level in Level::all() {
            let seen = net.run_at(level, size, |to| to.copy_from_slice(&picture)).unwrap().unwrap();
            prop_assert_eq!(seen.data.len(), wanted.len(), "kind {}", kind);
            prop_assert!(apart(seen.data, &wanted) < 0.03, "kind {} {}: {}", kind, level.name(), apart(seen.data, &wanted));
        }
    }

    #[test]
    fn spoiled_files_are_refused_or_run_without_panic(kind in 0..KINDS, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (channels, mut bytes) = net(kind, 3);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(mut net) = ours(&bytes, 1)
            && net.channels() == usize::from(channels)
        {
            let _ = net.run((8, 6), |to| to.fill(0.5));
        }
    }
}

#[test]
fn another_graph_is_refused_in_words() {
    let said =
        |nodes: &[Vec<u8>], tensors: &[Vec<u8>]| ours(&file(3, nodes, tensors, "out"), 1).err().unwrap_or_default();
    assert!(said(&[node("Softmax", &["x"], "out", &[])], &[]).contains("Softmax"));
    assert!(said(&[node("Relu", &["y"], "out", &[])], &[]).contains('y'));
    assert!(said(&[node("Conv", &["x", "w"], "out", &[])], &[]).contains("weights"));
    let w = reals("w", &[2, 4, 1, 1], &[0.0; 8]);
    assert!(said(&[node("Conv", &["x", "w"], "out", &[some("strides", &[1, 1])])], &[w]).contains("4 inputs"));
    let w = reals("w", &[2, 3, 1, 1], &[0.0; 6]);
    let far = [some("strides", &[1, 1]), some("dilations", &[2, 2])];
    assert!(said(&[node("Conv", &["x", "w"], "out", &far)], &[w]).contains("window"));
    assert!(said(&[node("Mul", &["x", "x"], "out", &[])], &[]).contains("product"));
}

#[test]
fn a_run_is_broken_off_between_two_layers_and_goes_on_there_with_the_same_picture_only() {
    let (_, bytes) = net(3, 9);
    let mut net = ours(&bytes, 1).unwrap();
    let paint = |to: &mut [f32]| to.iter_mut().enumerate().for_each(|(i, v)| *v = number(4, i));
    let whole = net.run((6, 8), paint).unwrap().unwrap().data.to_vec();
    let brake = Brake::default();
    net.brake = brake.clone();
    let broken = |net: &mut Net, paint: &dyn Fn(&mut [f32])| {
        brake.armed(6, || {
            brake.pull(1);
            net.run((6, 8), paint).unwrap().map(|seen| seen.data.to_vec())
        })
    };
    assert_eq!(broken(&mut net, &paint).as_ref(), Some(&whole), "it was not forgotten");
    net.forget();
    let mut times = 0;
    let seen = loop {
        match broken(&mut net, &paint) {
            Some(seen) => break seen,
            None => times += 1,
        }
    };
    assert!(seen == whole && times > 2, "a layer each time: {times}");
    net.forget();
    // Another picture comes between.
    let other = |to: &mut [f32]| to.iter_mut().enumerate().for_each(|(i, v)| *v = number(5, i));
    assert!(broken(&mut net, &paint).is_none() && broken(&mut net, &other).is_none());
    assert_eq!(net.run((6, 8), paint).unwrap().unwrap().data, whole);
    assert!(net.run((6, 8), other).unwrap().unwrap().data != whole);
    // Another size, and back.
    assert!(net.run((12, 4), paint).unwrap().is_some());
    assert_eq!(net.run((6, 8), paint).unwrap().unwrap().data, whole);
    assert!(net.run((1 << 30, 1 << 30), paint).is_err());
}

mod parts;
mod weights;
