//! Reads an ONNX file: its graph of nodes, and the tensors in it. Nothing is computed here.
//!
//! Floor 2. In: bytes. Out: [`Graph`]. Loses: values of element types that hold no weights of ours, and what is only for people.
//! Source: `onnx/onnx.proto3` (field numbers below are its). A damaged file is [`Broken`], never a panic: every length is compared with the bytes that are there.

use std::collections::HashMap;

use super::protobuf::{Broken, Fields, Value, packed};

/// `If` nodes hold graphs that could hold `If` nodes; real files nest once.
const MAX_DEPTH: usize = 4;
/// Nodes or tensors in one graph, at most.
const MAX_ITEMS: usize = 1 << 16;

/// A graph, or the body of a node.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// In an order in which they can be computed.
    pub(super) nodes: Vec<Node>,
    /// Weights by name.
    pub(super) tensors: HashMap<String, Tensor>,
    /// What goes in, older files name weights here, too.
    pub(super) inputs: Vec<Input>,
    /// Names of what comes out.
    pub(super) outputs: Vec<String>,
}

/// What goes into a graph.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) name: String,
    /// Nothing where any size goes.
    pub(super) dims: Vec<Option<usize>>,
}

/// One operation.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) op: String,
    pub(super) name: String,
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<String>,
    attributes: HashMap<String, Attribute>,
}

/// A value that is written into a node.
#[derive(Debug, Default)]
struct Attribute {
    float: Option<f32>,
    int: Option<i64>,
    ints: Vec<i64>,
    text: String,
    tensor: Option<Tensor>,
    graph: Option<Graph>,
}

/// Dimensions and values.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Tensor {
    pub(super) dims: Vec<usize>,
    pub(super) values: Values,
}

/// The values of a tensor, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    /// `f32`, and 8-bit levels.
    Reals(Vec<f32>),
    /// 32 and 64 bits.
    Ints(Vec<i64>),
}

impl Default for Values {
    fn default() -> Self {
        Self::Reals(Vec::new())
    }
}

impl Tensor {
    /// Its values, if they are real numbers and as many as its dimensions say.
    pub(super) fn reals(&self) -> Option<&[f32]> {
        let wanted = self.dims.iter().try_fold(1_usize, |n, d| n.checked_mul(*d));
        match &self.values {
            Values::Reals(values) if wanted == Some(values.len()) => Some(values),
            _ => None,
        }
    }

    /// Its values, if they are whole numbers.
    pub(super) fn ints(&self) -> Option<&[i64]> {
        match &self.values {
            Values::Ints(values) => Some(values),
            Values::Reals(_) => None,
        }
    }
}

impl Node {
    pub(super) fn float(&self, name: &str) -> Option<f32> {
        self.attributes.get(name)?.float
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.attributes.get(name)?.int
    }

    pub(super) fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attributes.get(name).map(|a| a.ints.as_slice())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(|a| a.text.as_str())
    }

    pub(super) fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.attributes.get(name)?.tensor.as_ref()
    }

    /// The graphs in it.
    pub(super) fn bodies(&self) -> impl Iterator<Item = &Graph> {
        self.attributes.values().filter_map(|a| a.graph.as_ref())
    }
}

impl Graph {
    /// Reads the graph of a file.
    ///
    /// # Errors
    /// The bytes are cut short or something else.
    pub(super) fn read(file: &[u8]) -> Result<Self, Broken> {
        let mut graph = None;
        let mut fields = Fields::new(file);
        while let Some(field) = fields.next()? {
            if let (7, Value::Bytes(bytes)) = field {
                graph = Some(read_graph(bytes, 0)?);
            }
        }
        graph.ok_or(Broken)
    }
}

fn read_graph(bytes: &[u8], depth: usize) -> Result<Graph, Broken> {
    let mut graph = Graph::default();
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(node)) => graph.nodes.push(read_node(node, depth)?),
            (5, Value::Bytes(tensor)) => {
                if let (name, Some(tensor)) = read_tensor(tensor)? {
                    graph.tensors.insert(name, tensor);
                }
            }
            (11, Value::Bytes(input)) => graph.inputs.push(read_input(input)?),
            (12, Value::Bytes(output)) => graph.outputs.push(read_input(output)?.name),
            _ => {}
        }
        if graph.nodes.len().max(graph.tensors.len()).max(graph.inputs.len()).max(graph.outputs.len()) > MAX_ITEMS {
            return Err(Broken);
        }
    }
    Ok(graph)
}

fn read_node(bytes: &[u8], depth: usize) -> Result<Node, Broken> {
    let mut node = Node::default();
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(name)) => node.inputs.push(text(name)),
            (2, Value::Bytes(name)) => node.outputs.push(text(name)),
            (3, Value::Bytes(name)) => node.name = text(name),
            (4, Value::Bytes(op)) => node.op = text(op),
            (5, Value::Bytes(attribute)) => {
                let (name, attribute) = read_attribute(attribute, depth)?;
                node.attributes.insert(name, attribute);
            }
            _ => {}
        }
    }
    Ok(node)
}

fn read_attribute(bytes: &[u8], depth: usize) -> Result<(String, Attribute), Broken> {
    let (mut name, mut a) = (String::new(), Attribute::default());
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(n)) => name = text(n),
            (2, Value::Fixed32(b)) => a.float = Some(f32::from_le_bytes(b)),
            (3, Value::Varint(v)) => a.int = Some(signed(v)),
            (4, Value::Bytes(b)) => a.text = text(b),
            (5, Value::Bytes(b)) => a.tensor = read_tensor(b)?.1,
            (6, Value::Bytes(_)) if depth >= MAX_DEPTH => return Err(Broken),
            (6, Value::Bytes(body)) => a.graph = Some(read_graph(body, depth + 1)?),
            (8, Value::Varint(v)) => a.ints.push(signed(v)),
            (8, Value::Bytes(b)) => a.ints = packed(b)?.into_iter().map(signed).collect(),
            _ => {}
        }
    }
    Ok((name, a))
}

/// Name and sizes of a `ValueInfoProto`: type, then tensor type, then shape, then dimensions.
fn read_input(bytes: &[u8]) -> Result<Input, Broken> {
    let mut input = Input::default();
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(name)) => input.name = text(name),
            (2, Value::Bytes(kind)) => {
                let shape = field_of(kind, 1)?.map_or(Ok(None), |tensor| field_of(tensor, 2))?;
                let mut dims = Fields::new(shape.unwrap_or(&[]));
                while let Some(dim) = dims.next()? {
                    if let (1, Value::Bytes(dim)) = dim {
                        input.dims.push(read_dim(dim)?);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(input)
}

fn read_dim(bytes: &[u8]) -> Result<Option<usize>, Broken> {
    let mut fields = Fields::new(bytes);
    let mut size = None;
    while let Some(field) = fields.next()? {
        if let (1, Value::Varint(n)) = field {
            size = usize::try_from(n).ok();
        }
    }
    Ok(size)
}

/// The last field `number` of a message that is a message.
fn field_of(bytes: &[u8], number: u64) -> Result<Option<&[u8]>, Broken> {
    let mut fields = Fields::new(bytes);
    let mut found = None;
    while let Some(field) = fields.next()? {
        match field {
            (n, Value::Bytes(b)) if n == number => found = Some(b),
            _ => {}
        }
    }
    Ok(found)
}

/// Name and content of a `TensorProto`; no content for element types that hold no weights of ours.
fn read_tensor(bytes: &[u8]) -> Result<(String, Option<Tensor>), Broken> {
    const FLOAT: u64 = 1;
    const UINT8: u64 = 2;
    const INT8: u64 = 3;
    const INT32: u64 = 6;
    const INT64: u64 = 7;
    let (mut name, mut kind, mut raw) = (String::new(), 0, &[][..]);
    let (mut dims, mut reals, mut ints) = (Vec::new(), Vec::new(), Vec::new());
    let dim = |d: u64| usize::try_from(d).map_err(|_| Broken);
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Varint(d)) => dims.push(dim(d)?),
            (1, Value::Bytes(b)) => dims = packed(b)?.into_iter().map(dim).collect::<Result<_, _>>()?,
            (2, Value::Varint(k)) => kind = k,
            (4, Value::Fixed32(b)) => reals.push(f32::from_le_bytes(b)),
            (4, Value::Bytes(b)) => reals = floats(b),
            (5 | 7, Value::Varint(v)) => ints.push(signed(v)),
            (5 | 7, Value::Bytes(b)) => ints = packed(b)?.into_iter().map(signed).collect(),
            (8, Value::Bytes(n)) => name = text(n),
            (9, Value::Bytes(b)) => raw = b,
            _ => {}
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "8-bit levels, stored wide")]
    let levels = |ints: Vec<i64>| ints.into_iter().map(|v| v as f32).collect();
    let values = match kind {
        FLOAT if raw.is_empty() => Values::Reals(reals),
        FLOAT => Values::Reals(floats(raw)),
        UINT8 if !raw.is_empty() => Values::Reals(raw.iter().map(|&b| f32::from(b)).collect()),
        INT8 if !raw.is_empty() => Values::Reals(raw.iter().map(|&b| f32::from(i8::from_le_bytes([b]))).collect()),
        UINT8 | INT8 => Values::Reals(levels(ints)),
        INT32 if !raw.is_empty() => {
            Values::Ints(raw.as_chunks::<4>().0.iter().map(|b| i32::from_le_bytes(*b).into()).collect())
        }
        INT64 if !raw.is_empty() => {
            Values::Ints(raw.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect())
        }
        INT32 | INT64 => Values::Ints(ints),
        _ => return Ok((name, None)),
    };
    Ok((name, Some(Tensor { dims, values })))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Negative numbers are stored as large ones.
#[expect(clippy::cast_possible_wrap, reason = "what the encoding says")]
fn signed(v: u64) -> i64 {
    v as i64
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// Writes ONNX files for tests.
#[cfg(test)]
pub(super) mod writing {
    /// A field that holds a message or a text.
    pub(in crate::model) fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2];
        let mut left = content.len();
        while left >= 128 {
            out.push(left as u8 & 127 | 128);
            left >>= 7;
        }
        out.push(left as u8);
        out.extend(content);
        out
    }

    /// A field that holds a number below 128.
    pub(in crate::model) fn int(number: u8, value: u8) -> Vec<u8> {
        vec![number << 3, value]
    }

    /// A field that holds some numbers below 128, one after the other: what every reader takes.
    fn all(number: u8, values: &[u8]) -> Vec<u8> {
        values.iter().flat_map(|v| int(number, *v)).collect()
    }

    /// A `TensorProto` of real numbers.
    pub(in crate::model) fn reals(name: &str, dims: &[u8], values: &[f32]) -> Vec<u8> {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        [all(1, dims), int(2, 1), bytes(8, name.as_bytes()), bytes(9, &raw)].concat()
    }

    /// A `TensorProto` of whole numbers.
    pub(in crate::model) fn ints(name: &str, values: &[i64]) -> Vec<u8> {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        [int(1, values.len() as u8), int(2, 7), bytes(8, name.as_bytes()), bytes(9, &raw)].concat()
    }

    /// A `NodeProto`.
    pub(in crate::model) fn node(op: &str, inputs: &[&str], output: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut out: Vec<u8> = inputs.iter().flat_map(|i| bytes(1, i.as_bytes())).collect();
        out.extend([bytes(2, output.as_bytes()), bytes(4, op.as_bytes())].concat());
        out.extend(attributes.iter().flat_map(|a| bytes(5, a)));
        out
    }

    /// An attribute of small whole numbers.
    pub(in crate::model) fn some(name: &str, values: &[u8]) -> Vec<u8> {
        [bytes(1, name.as_bytes()), all(8, values)].concat()
    }

    /// An attribute that is one small whole number.
    pub(in crate::model) fn one(name: &str, value: u8) -> Vec<u8> {
        [bytes(1, name.as_bytes()), int(3, value)].concat()
    }

    /// An attribute that is a text.
    pub(in crate::model) fn word(name: &str, value: &str) -> Vec<u8> {
        [bytes(1, name.as_bytes()), bytes(4, value.as_bytes())].concat()
    }

    /// An attribute that is a real number.
    pub(in crate::model) fn real(name: &str, value: f32) -> Vec<u8> {
        [bytes(1, name.as_bytes()), vec![2 << 3 | 5], value.to_le_bytes().to_vec()].concat()
    }

    /// A file with input `x` of (1, channels, any, any).
    pub(in crate::model) fn file(channels: u8, nodes: &[Vec<u8>], tensors: &[Vec<u8>], output: &str) -> Vec<u8> {
        let dim = |d: Vec<u8>| bytes(1, &d);
        let shape = [dim(int(1, 1)), dim(int(1, channels)), dim(bytes(2, b"h")), dim(bytes(2, b"w"))].concat();
        let kind = bytes(1, &[int(1, 1), bytes(2, &shape)].concat());
        let mut graph: Vec<u8> = nodes.iter().flat_map(|n| bytes(1, n)).collect();
        graph.extend(tensors.iter().flat_map(|t| bytes(5, t)));
        graph.extend(bytes(11, &[bytes(1, b"x"), bytes(2, &kind)].concat()));
        graph.extend(bytes(12, &bytes(1, output.as_bytes())));
        // The version of the operators, and what a file begins with.
        [int(1, 7), bytes(7, &graph), bytes(8, &int(2, 11))].concat()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Graph;
    use super::writing::{file, ints, node, one, real, reals, some, word};

    fn small() -> Vec<u8> {
        let attributes = [some("pads", &[1, 2]), one("group", 3), word("mode", "nearest"), real("alpha", 0.5)];
        let nodes = [node("Conv", &["x", "w"], "y", &attributes), node("Relu", &["y"], "z", &[])];
        file(3, &nodes, &[reals("w", &[2, 1], &[1.5, -2.0]), ints("n", &[-1, 4])], "z")
    }

    #[test]
    fn nodes_attributes_and_tensors_are_read() {
        let graph = Graph::read(&small()).unwrap();
        let [conv, relu] = graph.nodes.as_slice() else { panic!("two nodes") };
        assert_eq!((conv.op.as_str(), conv.inputs.as_slice()), ("Conv", &["x".to_owned(), "w".to_owned()][..]));
        assert_eq!(
            (conv.ints("pads"), conv.int("group"), conv.text("mode")),
            (Some(&[1, 2][..]), Some(3), Some("nearest"))
        );
        assert_eq!((conv.float("alpha"), conv.int("pads"), conv.ints("none")), (Some(0.5), None, None));
        assert_eq!((relu.op.as_str(), relu.outputs.as_slice()), ("Relu", &["z".to_owned()][..]));
        assert_eq!((graph.tensors["w"].reals(), graph.tensors["w"].ints()), (Some(&[1.5, -2.0][..]), None));
        assert_eq!(graph.tensors["n"].ints(), Some(&[-1, 4][..]));
        assert_eq!(
            (graph.inputs[0].name.as_str(), graph.inputs[0].dims.as_slice()),
            ("x", &[Some(1), Some(3), None, None][..])
        );
        assert_eq!(graph.outputs, ["z"]);
    }

    #[test]
    fn a_tensor_of_other_dimensions_has_no_values() {
        let graph = Graph::read(&file(1, &[], &[reals("w", &[2, 2], &[1.0; 3])], "z")).unwrap();
        assert_eq!(graph.tensors["w"].reals(), None);
    }

    #[test]
    fn a_graph_within_graphs_ends() {
        use super::writing::bytes;
        let mut graph = Vec::new();
        for _ in 0..200 {
            graph = bytes(1, &bytes(5, &bytes(6, &graph)));
        }
        assert!(Graph::read(&bytes(7, &graph)).is_err());
    }

    proptest! {
        #[test]
        fn cut_or_spoiled_files_are_refused_or_read_without_panic(cut in 0..400_usize, at in 0..400_usize, byte in any::<u8>()) {
            let mut bytes = small();
            let at = at % bytes.len();
            bytes[at] = byte;
            bytes.truncate(bytes.len().saturating_sub(cut / 2));
            if let Ok(graph) = Graph::read(&bytes) {
                prop_assert!(graph.nodes.len() < 400);
            }
        }
    }
}
