//! Pictures of a camera before which somebody talks, holds things up, or with which somebody walks: real photographs, moved as they would move.

use std::f32::consts::TAU;
use std::path::Path;

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

pub const WIDTH: u32 = 640;
pub const HEIGHT: u32 = 480;

/// The photograph, scaled and cut so that it fills `w` × `h`.
pub fn filling(path: &Path, (w, h): (u32, u32)) -> RgbImage {
    let picture = open(path);
    let scale = (w as f32 / picture.width() as f32).max(h as f32 / picture.height() as f32);
    let side = |v: u32, least: u32| ((v as f32 * scale).round() as u32).max(least);
    let (sw, sh) = (side(picture.width(), w), side(picture.height(), h));
    let scaled = imageops::resize(&picture, sw, sh, FilterType::Triangle);
    imageops::crop_imm(&scaled, (sw - w) / 2, (sh - h) / 2, w, h).to_image()
}

/// The photograph within `w` × `h`, nothing cut.
pub fn within(path: &Path, (w, h): (u32, u32)) -> RgbImage {
    let picture = open(path);
    let scale = (w as f32 / picture.width() as f32).min(h as f32 / picture.height() as f32);
    let side = |v: u32, most: u32| ((v as f32 * scale) as u32).clamp(1, most);
    imageops::resize(&picture, side(picture.width(), w), side(picture.height(), h), FilterType::Triangle)
}

fn open(path: &Path) -> RgbImage {
    image::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).to_rgb8()
}

/// Somebody who sits before a camera that stands still: head and mouth move while they talk, the shoulders as they breathe.
pub struct Person {
    still: RgbImage,
    head: (f32, f32),
    radius: f32,
}

impl Person {
    /// `head` is its middle, in pixels of the picture.
    pub fn new(still: RgbImage, head: (f32, f32), radius: f32) -> Self {
        Self { still, head, radius }
    }

    pub fn at(&self, t: f32) -> RgbImage {
        let mut out = self.still.clone();
        let ((hx, hy), r) = (self.head, self.radius);
        // They talk for five seconds in eight, nod a little all the time, and turn now and then.
        let talks = (t / 8.0).fract() < 0.65;
        let turn = (TAU * t / 11.0).sin().max(0.8) * 60.0 - 48.0;
        let sway = (4.0 * (TAU * t / 3.1).sin() + 3.0 * (TAU * t / 1.3).sin() + turn, 3.0 * (TAU * t / 2.3).sin());
        let mouth = if talks { 0.09 * r * (TAU * 3.7 * t).sin() * (TAU * 1.1 * t).sin() } else { 0.0 };
        let breath = 1.5 * (TAU * t / 3.6).sin();
        let reach = 2.2 * r;
        let span = |c: f32, most: u32| ((c - reach).max(0.0) as u32, ((c + reach).max(0.0) as u32).min(most));
        let ((x0, x1), (y0, _)) = (span(hx, WIDTH), span(hy, HEIGHT));
        for y in y0..HEIGHT {
            for x in x0..x1 {
                let (dx, dy) = (x as f32 - hx, y as f32 - hy);
                let near = (-(dx * dx + dy * dy) / (1.2 * r * r)).exp();
                let (mx, my) = (dx / (0.35 * r), (dy - 0.4 * r) / (0.25 * r));
                let lips = (-(mx * mx + my * my)).exp();
                let chest = if dy > r { (-(dx * dx) / (3.0 * r * r)).exp() } else { 0.0 };
                let from = (x as f32 - sway.0 * near, y as f32 - sway.1 * near - mouth * lips - breath * chest);
                out.put_pixel(x, y, sample(&self.still, from));
            }
        }
        out
    }
}

/// What is seen through a view of `1/zoom` of the usual size around `centre`.
pub fn view(world: &RgbImage, (cx, cy): (f32, f32), zoom: f32) -> RgbImage {
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let off = |v: u32, size: u32| (v as f32 - size as f32 / 2.0) / zoom;
        sample(world, (cx + off(x, WIDTH), cy + off(y, HEIGHT)))
    })
}

fn sample(of: &RgbImage, (x, y): (f32, f32)) -> Rgb<u8> {
    let (w, h) = of.dimensions();
    let (x, y) = (x.clamp(0.0, (w - 1) as f32), y.clamp(0.0, (h - 1) as f32));
    let (x0, y0) = (x as u32, y as u32);
    let (x1, y1) = ((x0 + 1).min(w - 1), (y0 + 1).min(h - 1));
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let [a, b, c, d] = [(x0, y0), (x1, y0), (x0, y1), (x1, y1)].map(|(x, y)| of.get_pixel(x, y).0);
    let mix = |i: usize| {
        let (top, bottom) =
            (f32::from(a[i]) * (1.0 - fx) + f32::from(b[i]) * fx, f32::from(c[i]) * (1.0 - fx) + f32::from(d[i]) * fx);
        (top * (1.0 - fy) + bottom * fy + 0.5) as u8
    };
    Rgb([mix(0), mix(1), mix(2)])
}

/// What the sensor and its exposure make of a picture. Deterministic: noise comes from a table, from another place for each picture.
pub struct Sensor {
    noise: Vec<f32>,
}

impl Sensor {
    /// Grey levels of the noise, as a standard deviation.
    const NOISE: f32 = 2.5;

    pub fn new() -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1_u64 << 24) as f32
        };
        // The sum of twelve is near enough to a normal distribution.
        let noise = (0..65_521).map(|_| ((0..12).map(|_| uniform()).sum::<f32>() - 6.0) * Self::NOISE).collect();
        Self { noise }
    }

    pub fn expose(&self, picture: &mut RgbImage, number: u64, t: f32) {
        let gain = 1.0 + 0.015 * (TAU * t / 13.0).sin();
        let start = usize::try_from(number.wrapping_mul(40_503) % 65_521).unwrap_or(0);
        for (pixel, noise) in picture.chunks_exact_mut(3).zip(self.noise.iter().cycle().skip(start)) {
            for value in pixel {
                *value = (f32::from(*value) * gain + noise).clamp(0.0, 255.0) as u8;
            }
        }
    }
}
