//! Boxes in a picture, in fractions of its width and height.

use serde::{Deserialize, Serialize};

/// An axis-aligned box. Coordinates are fractions of the picture: `0.0` is left or top, `1.0` right or bottom.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BBox {
    /// Left edge, `0.0..=1.0`.
    pub x0: f32,
    /// Top edge, `0.0..=1.0`.
    pub y0: f32,
    /// Right edge, `0.0..=1.0`, not less than `x0`.
    pub x1: f32,
    /// Bottom edge, `0.0..=1.0`, not less than `y0`.
    pub y1: f32,
}

impl BBox {
    /// The whole picture.
    pub const FULL: Self = Self { x0: 0.0, y0: 0.0, x1: 1.0, y1: 1.0 };

    /// Makes a box from corners in any order, clamped to the picture. NaN becomes an edge.
    #[must_use]
    pub fn new(xa: f32, ya: f32, xb: f32, yb: f32) -> Self {
        let fix = |v: f32| if v.is_nan() { 0.0 } else { v.clamp(0.0, 1.0) };
        let (xa, ya, xb, yb) = (fix(xa), fix(ya), fix(xb), fix(yb));
        Self { x0: xa.min(xb), y0: ya.min(yb), x1: xa.max(xb), y1: ya.max(yb) }
    }

    /// Width as a fraction of the picture.
    #[must_use]
    pub fn width(&self) -> f32 {
        self.x1 - self.x0
    }

    /// Height as a fraction of the picture.
    #[must_use]
    pub fn height(&self) -> f32 {
        self.y1 - self.y0
    }

    /// Area as a fraction of the picture.
    #[must_use]
    pub fn area(&self) -> f32 {
        self.width() * self.height()
    }

    /// The middle point `(x, y)`.
    #[must_use]
    pub fn centre(&self) -> (f32, f32) {
        (f32::midpoint(self.x0, self.x1), f32::midpoint(self.y0, self.y1))
    }

    /// Intersection over union with `other`; 0 when both are empty.
    #[must_use]
    pub fn iou(&self, other: &Self) -> f32 {
        let w = (self.x1.min(other.x1) - self.x0.max(other.x0)).max(0.0);
        let h = (self.y1.min(other.y1) - self.y0.max(other.y0)).max(0.0);
        let inter = w * h;
        let union = self.area() + other.area() - inter;
        if union <= 0.0 { 0.0 } else { inter / union }
    }
}

#[cfg(test)]
mod tests {
    use super::BBox;

    #[test]
    fn iou_is_one_with_itself_and_zero_apart() {
        let a = BBox::new(0.0, 0.0, 0.5, 0.5);
        assert!((a.iou(&a) - 1.0).abs() < 1e-6);
        assert!(a.iou(&BBox::new(0.6, 0.6, 1.0, 1.0)).abs() < 1e-6);
    }

    #[test]
    fn corners_in_any_order_and_out_of_range_make_a_valid_box() {
        let b = BBox::new(2.0, f32::NAN, -1.0, 0.5);
        assert!(b.x0 <= b.x1 && b.y0 <= b.y1 && b.x1 <= 1.0 && b.x0 >= 0.0);
    }
}
