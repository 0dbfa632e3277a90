//! Boxes of text lines from the finder's map of probabilities.
//!
//! Floor 2. In: a map. Out: upright boxes, at most [`MOST`]. Loses: specks and faint regions.
//! Source: the post-processing of DB (arXiv:1911.08947 §3.5) with its usual thresholds; upright boxes in place of polygons.

use crate::base::BBox;

/// Probability above which a cell is text.
const TEXT: f32 = 0.3;
/// Least mean probability of a region.
const REGION: f32 = 0.5;
/// A region grows by `area * UNCLIP / perimeter` on each side: the map marks only the core of a line.
const UNCLIP: f32 = 1.6;
/// Regions lower or narrower than this, in cells, are specks.
const LEAST: usize = 3;
/// Most boxes.
const MOST: usize = 64;

/// The extent of a region in cells, its size and the sum of its probabilities.
#[derive(Debug, Clone, Copy)]
struct Region {
    x0: usize,
    y0: usize,
    x1: usize,
    y1: usize,
    cells: usize,
    sum: f32,
}

/// Boxes around connected regions of `map` (`height` rows of `width`), largest first.
pub(super) fn find_boxes(map: &[f32], width: usize, height: usize) -> Vec<BBox> {
    if width == 0 || map.len() != width * height {
        return Vec::new();
    }
    let mut open: Vec<bool> = map.iter().map(|p| *p > TEXT).collect();
    let mut found: Vec<Region> = Vec::new();
    let mut stack = Vec::new();
    for start in 0..map.len() {
        if open[start] {
            let region = flood(map, &mut open, &mut stack, width, start);
            if is_line(&region) {
                found.push(region);
            }
        }
    }
    found.sort_by_key(|r| std::cmp::Reverse(r.cells));
    found.into_iter().take(MOST).map(|r| grown(&r, width, height)).collect()
}

/// Takes one region (eight neighbours) out of `open`.
fn flood(map: &[f32], open: &mut [bool], stack: &mut Vec<usize>, width: usize, start: usize) -> Region {
    let height = map.len() / width;
    let mut r = Region { x0: width, y0: height, x1: 0, y1: 0, cells: 0, sum: 0.0 };
    open[start] = false;
    stack.push(start);
    while let Some(at) = stack.pop() {
        let (x, y) = (at % width, at / width);
        (r.x0, r.y0, r.x1, r.y1) = (r.x0.min(x), r.y0.min(y), r.x1.max(x + 1), r.y1.max(y + 1));
        r.cells += 1;
        r.sum += map[at];
        for ny in y.saturating_sub(1)..(y + 2).min(height) {
            for nx in x.saturating_sub(1)..(x + 2).min(width) {
                let next = ny * width + nx;
                if open[next] {
                    open[next] = false;
                    stack.push(next);
                }
            }
        }
    }
    r
}

fn is_line(r: &Region) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "at most a million cells")]
    let mean = r.sum / r.cells as f32;
    r.x1 - r.x0 >= LEAST && r.y1 - r.y0 >= LEAST && mean >= REGION
}

#[expect(clippy::cast_precision_loss, reason = "sides of at most a few thousand cells")]
fn grown(r: &Region, width: usize, height: usize) -> BBox {
    let (w, h) = ((r.x1 - r.x0) as f32, (r.y1 - r.y0) as f32);
    let by = w * h * UNCLIP / (2.0 * (w + h));
    let (fw, fh) = (width as f32, height as f32);
    BBox::new((r.x0 as f32 - by) / fw, (r.y0 as f32 - by) / fh, (r.x1 as f32 + by) / fw, (r.y1 as f32 + by) / fh)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{MOST, find_boxes};
    use crate::base::BBox;

    #[test]
    fn two_lines_give_two_boxes_somewhat_larger_than_their_cores() {
        let mut map = vec![0.05; 64 * 32];
        for y in 0..32 {
            for x in 0..64 {
                if (10..50).contains(&x) && ((5..9).contains(&y) || (20..26).contains(&y)) {
                    map[y * 64 + x] = 0.9;
                }
            }
        }
        map[31 * 64] = 0.9; // a speck
        let boxes = find_boxes(&map, 64, 32);
        assert_eq!(boxes.len(), 2);
        let core = BBox::new(10.0 / 64.0, 20.0 / 32.0, 50.0 / 64.0, 26.0 / 32.0);
        assert!(boxes[0].x0 < core.x0 && boxes[0].y1 > core.y1 && boxes[0].iou(&core) > 0.3);
    }

    proptest! {
        #[test]
        fn any_map_gives_bounded_valid_boxes(map in prop::collection::vec(-1.0..2.0_f32, 0..600), width in 0..40_usize) {
            let boxes = find_boxes(&map, width, map.len().checked_div(width).unwrap_or(0));
            prop_assert!(boxes.len() <= MOST && boxes.iter().all(|b| b.area() > 0.0));
        }
    }
}
