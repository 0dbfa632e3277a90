//! One step of a net.

use super::{MOST_NUMBERS, Room};
use crate::model::convnet::Refused;
use crate::model::convnet::matrix::{Matrix, patches, pointwise, separable};
use crate::model::convnet::steps::{Reach, Source, Step};
use crate::model::convnet::window::{Steps, Window};
use crate::model::kernels::{self, Activations, Finish, Product, Tokens, Weights, convolve};

/// Pixels of a source, found by row and column.
struct View<'a> {
    data: &'a [f32],
    columns: usize,
    source: Source,
}

impl<'a> View<'a> {
    /// The numbers of one pixel.
    fn pixel(&self, y: usize, x: usize) -> &'a [f32] {
        let s = &self.source;
        let (y, x) = (y / s.zoom * s.step.0 + s.start.0, x / s.zoom * s.step.1 + s.start.1);
        &self.data[(y * self.columns + x) * s.channels..][..s.channels]
    }
}

/// Writes pixels from row `y` and column `x` on, of rows of so many `columns`, side by side into rows of numbers.
fn gather<'r>(
    views: &[View<'_>],
    columns: usize,
    (mut y, mut x): (usize, usize),
    rows: impl Iterator<Item = &'r mut [f32]>,
) {
    for row in rows {
        let mut rest = row;
        for view in views {
            let (to, after) = rest.split_at_mut(view.source.channels);
            let from = view.pixel(y, x);
            // A length that is known is two instructions and not a call.
            match (to.as_chunks_mut::<3>(), from.as_chunks::<3>()) {
                (([to], []), ([from], [])) => *to = *from,
                _ => to.copy_from_slice(from),
            }
            rest = after;
        }
        x += 1;
        if x == columns {
            (y, x) = (y + 1, 0);
        }
    }
}

impl Room {
    /// The numbers of a value that was made.
    pub(super) fn data(&self, value: usize) -> &[f32] {
        &self.buffers[self.values[value].buffer][..self.len(value)]
    }

    fn len(&self, value: usize) -> usize {
        self.sizes[value].0 * self.sizes[value].1 * self.values[value].channels
    }

    fn view(&self, source: &Source) -> View<'_> {
        View { data: self.data(source.value), columns: self.sizes[source.value].1, source: *source }
    }

    fn size(&self, source: &Source) -> (usize, usize) {
        source.size(self.sizes[source.value])
    }

    /// The size that all have.
    fn common(&self, sources: &[Source]) -> Refused<(usize, usize)> {
        let size = sources.first().map(|s| self.size(s)).ok_or("a layer without inputs")?;
        let other = sources.iter().map(|s| self.size(s)).find(|s| *s != size);
        other.map_or(Ok(size), |other| Err(format!("pictures of {size:?} and {other:?} side by side")))
    }

    /// How many numbers a value of this size has.
    pub(super) fn numbers(&self, value: usize, size: (usize, usize)) -> Refused<usize> {
        let numbers = size.0.checked_mul(size.1).and_then(|n| n.checked_mul(self.values[value].channels));
        Ok(numbers.filter(|n| *n <= MOST_NUMBERS).ok_or("a picture that is too large")?)
    }

    /// Makes some values of one size; `work` writes them, one slice each.
    fn make_all(
        &mut self,
        values: &[usize],
        size: (usize, usize),
        work: impl FnOnce(&Self, &mut [Vec<f32>]) -> Refused<()>,
    ) -> Refused<()> {
        let mut buffers = Vec::with_capacity(values.len());
        for &v in values {
            let numbers = self.numbers(v, size)?;
            self.sizes[v] = size;
            let mut buffer = std::mem::take(&mut self.buffers[self.values[v].buffer]);
            if buffer.len() < numbers {
                buffer.resize(numbers, 0.0);
            }
            buffers.push(buffer);
        }
        let done = work(self, &mut buffers);
        for (&v, buffer) in values.iter().zip(buffers) {
            self.buffers[self.values[v].buffer] = buffer;
        }
        done
    }

    /// Makes a value.
    pub(super) fn make(
        &mut self,
        value: usize,
        size: (usize, usize),
        work: impl FnOnce(&Self, &mut [f32]) -> Refused<()>,
    ) -> Refused<()> {
        self.make_all(&[value], size, |room, buffers| {
            let len = room.len(value);
            let buffer = buffers.first_mut().ok_or("this is a bug: no buffer")?;
            work(room, &mut buffer[..len])
        })
    }
}

impl Step<Matrix> {
    /// Makes its values.
    pub(super) fn run(&self, p: &mut Product<'_>, room: &mut Room, rounded: &mut Activations) -> Refused<()> {
        match self {
            Self::Convolution(reach, heads) => convolution(p, reach, heads, room, rounded),
            Self::Depthwise(steps, depthwise, finish, x, to) => {
                let window = steps.over(room.sizes[*x])?;
                room.make(*to, window.to, |room, out| depthwise.whole(p, (&window, room.data(*x)), *finish, out))
            }
            Self::Up(x, matrix, to) => up(p, matrix, (*x, *to), room),
            Self::Sum(a, b, to) => {
                let size = room.common(&[*a, *b])?;
                room.make(*to, size, |room, out| {
                    sum(p, (&room.view(a), &room.view(b)), size.1, out);
                    Ok(())
                })
            }
            Self::Scale { x, by, plus, to } => room.make(*to, room.sizes[*x], |room, out| {
                let factors: Vec<f32> = room.data(*by).iter().map(|f| f + plus).collect();
                lines(p, room.data(*x), (&factors, None), Finish::PLAIN, out);
                Ok(())
            }),
            Self::Map { x, scale, shift, finish, to } => room.make(*to, room.sizes[*x], |room, out| {
                lines(p, room.data(*x), (scale, Some(shift)), *finish, out);
                Ok(())
            }),
            Self::Most(x, steps, to) => {
                let window = steps.over(room.sizes[*x])?;
                room.make(*to, window.to, |room, out| {
                    most(p, &window, (room.data(*x), room.values[*x].channels), out);
                    Ok(())
                })
            }
            Self::Mean(x, to) => room.make(*to, (1, 1), |room, out| {
                mean(room.data(*x), out);
                Ok(())
            }),
            Self::Join(sources, to) => {
                let size = room.common(sources)?;
                room.make(*to, size, |room, out| {
                    let views: Vec<View<'_>> = sources.iter().map(|s| room.view(s)).collect();
                    let channels = room.values[*to].channels;
                    p.team.pieces(out, size.1 * channels, |y, row| {
                        gather(&views, size.1, (y, 0), row.chunks_exact_mut(channels));
                    });
                    Ok(())
                })
            }
            Self::Stack(values, to) => {
                let pixels = values.iter().map(|v| room.sizes[*v].0 * room.sizes[*v].1).sum();
                room.make(*to, (1, pixels), |room, out| {
                    let mut rest = out;
                    for data in values.iter().map(|v| room.data(*v)) {
                        let (to, after) = rest.split_at_mut(data.len());
                        to.copy_from_slice(data);
                        rest = after;
                    }
                    Ok(())
                })
            }
        }
    }
}

fn convolution(
    p: &mut Product<'_>,
    reach: &Reach,
    heads: &[(Matrix, usize)],
    room: &mut Room,
    rounded: &mut Activations,
) -> Refused<()> {
    let over = |steps: &Steps, x: usize, room: &Room| steps.over(room.sizes[x]);
    let values: Vec<usize> = heads.iter().map(|(_, to)| *to).collect();
    let (size, window) = match reach {
        Reach::Pixels(sources) => (room.common(sources)?, None),
        Reach::Patches(steps, x) | Reach::Depthwise(steps, .., x) => {
            let window = over(steps, *x, room)?;
            (window.to, Some(window))
        }
    };
    room.make_all(&values, size, |room, outs| {
        let outs = outs.iter_mut().zip(heads);
        let mut to: Vec<Weights<'_>> = outs.map(|(out, (matrix, v))| matrix.to(&mut out[..room.len(*v)])).collect();
        match (reach, window) {
            (Reach::Patches(_, x), Some(window)) => {
                let channels = room.values[*x].channels;
                dense(p, (&window, room.data(*x), channels), rounded, &mut to)
            }
            (Reach::Depthwise(_, depthwise, finish, x), Some(window)) => {
                separable(p, (depthwise, *finish), (&window, room.data(*x)), &mut to)
            }
            (Reach::Pixels(sources), _) => match sources.as_slice() {
                [one] if one.is_plain() => pointwise(p, room.data(one.value), one.channels, &mut to),
                _ => {
                    let views: Vec<View<'_>> = sources.iter().map(|s| room.view(s)).collect();
                    side_by_side(p, &views, size, &mut to);
                    Ok(())
                }
            },
            _ => Err("this is a bug: a layer without a window".into()),
        }
    })
}

/// Pixels of some values side by side, times some matrices.
fn side_by_side(p: &mut Product<'_>, views: &[View<'_>], size: (usize, usize), to: &mut [Weights<'_>]) {
    let channels: usize = views.iter().map(|v| v.source.channels).sum();
    let write = |first: usize, rows: &mut [f32]| {
        let at = (first / size.1, first % size.1);
        gather(views, size.1, at, rows.chunks_exact_mut(channels.next_multiple_of(32)));
    };
    convolve(p, (size.0 * size.1, channels), &Tokens::Written(&write), to);
}

/// Patches times some matrices. Where a pixel is whole blocks of what is rounded together, it is rounded once and not for every patch.
fn dense(
    p: &mut Product<'_>,
    (window, x, channels): (&Window, &[f32], usize),
    rounded: &mut Activations,
    to: &mut [Weights<'_>],
) -> Refused<()> {
    if !channels.is_multiple_of(32) {
        return patches(p, (window, x, channels), |v| v, to);
    }
    rounded.round(p, x, channels);
    let taps = window.kernel * window.kernel;
    let name = |i: usize, names: &mut [Option<usize>]| window.name(i, names);
    convolve(p, (window.pixels(), taps * channels), &Tokens::Patches(rounded, taps, &name), to);
    Ok(())
}

/// Each pixel becomes four.
fn up(p: &mut Product<'_>, matrix: &Matrix, (x, to): (usize, usize), room: &mut Room) -> Refused<()> {
    let (rows, columns) = room.sizes[x];
    // Taken out of the room, which lends its values meanwhile.
    let mut spare = std::mem::take(&mut room.spare);
    let done = room.make(to, (2 * rows, 2 * columns), |room, out| {
        let channels = room.values[to].channels;
        // The four lie one row after the other as the matrix makes them: each half of a pixel's outputs is two neighbours of a row.
        let numbers = rows * columns * matrix.rows();
        if spare.len() < numbers {
            spare.resize(numbers, 0.0);
        }
        pointwise(p, room.data(x), matrix.inputs, &mut [matrix.to(&mut spare)])?;
        p.team.pieces(out, 2 * columns * channels, |y, row| {
            let fours = spare[y / 2 * columns * 4 * channels..].chunks_exact(4 * channels);
            for (to, four) in row.chunks_exact_mut(2 * channels).zip(fours) {
                to.copy_from_slice(&four[y % 2 * 2 * channels..][..2 * channels]);
            }
        });
        Ok(())
    });
    room.spare = spare;
    done
}

fn sum(p: &mut Product<'_>, (a, b): (&View<'_>, &View<'_>), columns: usize, out: &mut [f32]) {
    let channels = a.source.channels;
    p.team.pieces(out, columns * channels, |y, row| {
        for (x, to) in row.chunks_exact_mut(channels).enumerate() {
            let pixels = a.pixel(y, x).iter().zip(b.pixel(y, x));
            to.iter_mut().zip(pixels).for_each(|(to, (a, b))| *to = a + b);
        }
    });
}

/// Pixels of which about so many numbers are one part of a job.
const PART: usize = 1 << 14;

/// A line for each channel, then a curve.
fn lines(p: &mut Product<'_>, x: &[f32], (scale, shift): (&[f32], Option<&Vec<f32>>), finish: Finish, out: &mut [f32]) {
    let (level, channels) = (p.level, scale.len().max(1));
    let piece = (PART / channels).max(1) * channels;
    let work = |at: usize, out: &mut [f32]| {
        for (to, from) in out.chunks_exact_mut(channels).zip(x[at..].chunks_exact(channels)) {
            match shift {
                Some(shift) => {
                    let line = scale.iter().zip(shift);
                    to.iter_mut().zip(from.iter().zip(line)).for_each(|(to, (x, (s, t)))| *to = x * s + t);
                }
                None => to.iter_mut().zip(from.iter().zip(scale)).for_each(|(to, (x, s))| *to = x * s),
            }
        }
        if finish != Finish::PLAIN {
            kernels::finish(level, finish, out);
        }
    };
    let whole = out.len() / piece * piece;
    let (most, rest) = out.split_at_mut(whole);
    p.team.pieces(most, piece, |i, out| work(i * piece, out));
    work(whole, rest);
}

/// The greatest under each window.
fn most(p: &mut Product<'_>, window: &Window, (x, channels): (&[f32], usize), out: &mut [f32]) {
    p.team.pieces(out, window.to.1 * channels, |y, row| {
        for (i, to) in row.chunks_exact_mut(channels).enumerate() {
            to.fill(f32::MIN);
            for (_, pixel, len) in window.runs(y * window.to.1 + i) {
                for from in x[pixel * channels..(pixel + len) * channels].chunks_exact(channels) {
                    to.iter_mut().zip(from).for_each(|(to, v)| *to = if *v > *to { *v } else { *to });
                }
            }
        }
    });
}

/// The mean of each channel over all pixels; `out` has room for one of each.
pub(in crate::model) fn mean(x: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    for pixel in x.chunks_exact(out.len().max(1)) {
        out.iter_mut().zip(pixel).for_each(|(sum, v)| *sum += v);
    }
    #[expect(clippy::cast_precision_loss, reason = "pixels of a picture")]
    let n = (x.len() / out.len().max(1)).max(1) as f32;
    out.iter_mut().for_each(|sum| *sum /= n);
}
