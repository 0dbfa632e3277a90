//! A net: its steps, the buffers that they share, and the threads.

mod run;

pub(in crate::model) use run::mean;

use super::matrix::Matrix;
use super::steps::Step;
use super::{Refused, plan};
use crate::base::Brake;
use crate::model::kernels::{Activations, Level, Product, Team};
use crate::model::onnx_file::Graph;

/// Numbers of one value, at most: a picture of 8 million pixels in 8 channels.
const MOST_NUMBERS: usize = 1 << 26;

/// What a value is and where it lies.
#[derive(Debug, Clone, Copy)]
struct Value {
    channels: usize,
    /// Which buffer; values that are not needed at the same time share one.
    buffer: usize,
}

/// Where values lie while a picture is computed. Buffers grow and are kept.
struct Room {
    values: Vec<Value>,
    buffers: Vec<Vec<f32>>,
    /// Rows and columns of each value.
    sizes: Vec<(usize, usize)>,
    /// What a step needs for itself.
    spare: Vec<f32>,
}

/// A net, loaded.
pub(in crate::model) struct Net {
    steps: Vec<Step<Matrix>>,
    room: Room,
    output: usize,
    size: Option<(usize, usize)>,
    team: Team,
    /// Rounded pixels that patches are put together from.
    rounded: Activations,
    begun: Option<Begun>,
    /// Where the next picture is painted.
    picture: Vec<f32>,
    /// Ends a run between two steps.
    pub(in crate::model) brake: Brake,
}

/// A picture that was computed, or broken off: what comes next of it is not computed twice.
struct Begun {
    level: Level,
    size: (usize, usize),
    picture: Vec<f32>,
    /// The step that comes next; behind the last one, the output is there.
    next: usize,
}

/// What came out: numbers, channels last.
#[derive(Debug)]
pub(in crate::model) struct Seen<'a> {
    /// Rows and columns.
    pub(in crate::model) size: (usize, usize),
    pub(in crate::model) data: &'a [f32],
}

impl Net {
    /// Builds the net of a graph. A run takes `threads`, the caller's among them.
    ///
    /// # Errors
    /// Words that say what about the graph is not as expected.
    pub(in crate::model) fn build(graph: &Graph, threads: usize) -> Refused<Self> {
        plan::build(graph, threads)
    }

    /// Of steps in their order; value 0 is the picture.
    pub(super) fn new(
        steps: Vec<Step<Matrix>>,
        channels: &[usize],
        output: usize,
        size: Option<(usize, usize)>,
        threads: usize,
    ) -> Refused<Self> {
        let (buffers, count) = share(&steps, channels.len(), output);
        let values =
            channels.iter().zip(&buffers).map(|(channels, buffer)| Value { channels: *channels, buffer: *buffer });
        let room = Room {
            values: values.collect(),
            buffers: vec![Vec::new(); count],
            sizes: vec![(0, 0); channels.len()],
            spare: Vec::new(),
        };
        let team = Team::new(threads.max(1)).map_err(|e| format!("no thread for it: {e}"))?;
        let (rounded, brake) = (Activations::default(), Brake::default());
        Ok(Self { steps, room, output, size, team, rounded, begun: None, picture: Vec::new(), brake })
    }

    /// Channels of the picture that it takes.
    pub(in crate::model) fn channels(&self) -> usize {
        self.room.values[0].channels
    }

    /// Channels of what comes out.
    pub(in crate::model) fn channels_out(&self) -> usize {
        self.room.values[self.output].channels
    }

    /// Rows and columns of the pictures that it was made for, where the file says so. No step depends on them: others are computed, too.
    pub(in crate::model) fn size(&self) -> Option<(usize, usize)> {
        self.size
    }

    /// Computes one picture of so many rows and columns, which `paint` writes, channels last; nothing where it was broken off. Run anew with the same picture it goes on
    /// where it was, at least a step each time, and one that was done is not computed again, until [`Net::forget`].
    ///
    /// # Errors
    /// The picture is too large or too small, or of sides that the net's layers do not fit on.
    pub(in crate::model) fn run(
        &mut self,
        size: (usize, usize),
        paint: impl FnOnce(&mut [f32]),
    ) -> Refused<Option<Seen<'_>>> {
        self.run_at(Level::best(), size, paint)
    }

    /// The picture that was computed last is done with.
    pub(in crate::model) fn forget(&mut self) {
        self.begun = None;
    }

    /// The same with kernels of a level.
    pub(in crate::model) fn run_at(
        &mut self,
        level: Level,
        size: (usize, usize),
        paint: impl FnOnce(&mut [f32]),
    ) -> Refused<Option<Seen<'_>>> {
        let numbers = self.room.numbers(0, size)?;
        self.picture.resize(numbers, 0.0);
        paint(&mut self.picture);
        let same = |b: &Begun| b.level == level && b.size == size && b.picture == self.picture;
        let mut begun = match self.begun.take().filter(same) {
            Some(begun) => begun,
            None => {
                self.room.make(0, size, |_, to| {
                    to.copy_from_slice(&self.picture);
                    Ok(())
                })?;
                Begun { level, size, picture: std::mem::take(&mut self.picture), next: 0 }
            }
        };
        let (from, mut p) = (begun.next, Product { level, team: &mut self.team });
        for (i, step) in self.steps.iter().enumerate().skip(from) {
            if i > from && self.brake.is_pulled() {
                self.begun = Some(begun);
                return Ok(None);
            }
            step.run(&mut p, &mut self.room, &mut self.rounded)?;
            begun.next = i + 1;
        }
        self.begun = Some(begun);
        Ok(Some(Seen { size: self.room.sizes[self.output], data: self.room.data(self.output) }))
    }
}

/// A buffer for each value, and how many: a buffer is free for others after the last step that reads its value.
fn share(steps: &[Step<Matrix>], values: usize, output: usize) -> (Vec<usize>, usize) {
    let mut last = vec![0; values];
    for (i, step) in steps.iter().enumerate() {
        step.inputs().into_iter().chain(step.outputs()).for_each(|v| last[v] = i);
    }
    last[output] = usize::MAX;
    let (mut buffers, mut free, mut count) = (vec![0; values], Vec::new(), 1);
    for (i, step) in steps.iter().enumerate() {
        let outputs = step.outputs();
        for &v in &outputs {
            buffers[v] = free.pop().unwrap_or_else(|| {
                count += 1;
                count - 1
            });
        }
        let mut over: Vec<usize> = step.inputs().into_iter().chain(outputs).filter(|v| last[*v] == i).collect();
        over.sort_unstable();
        over.dedup();
        free.extend(over.into_iter().map(|v| buffers[v]));
    }
    (buffers, count)
}
