//! A line chart as an SVG file: few words, thin lines, legible on a light and on a dark page.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 176.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 52.0;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#33373d}.title{font-size:14px;font-weight:600}\
.grid{stroke:#8884;stroke-width:1}.page{fill:#fff}path{fill:none;stroke-width:2}\
@media(prefers-color-scheme:dark){text{fill:#d6dae0}.page{fill:#16181c}}";

/// Colours that stand apart on both pages, by brightness too.
const COLOURS: [&str; 5] = ["#2f7de1", "#e0662f", "#2fa36b", "#a05bd6", "#a38a1f"];

/// One line of the chart.
pub struct Series {
    /// What it is, in the legend.
    pub name: String,
    /// `(x, y)` from left to right.
    pub points: Vec<(f64, f64)>,
    /// Drawn with gaps.
    pub dashed: bool,
}

/// A chart.
pub struct Chart {
    /// Over it.
    pub title: String,
    /// Under the x axis.
    pub x_label: String,
    /// Over the y axis.
    pub y_label: String,
    /// Places and words on the x axis; the first and the last are its ends.
    pub x_ticks: Vec<(f64, String)>,
    /// The same for the y axis.
    pub y_ticks: Vec<(f64, String)>,
    /// The lines.
    pub series: Vec<Series>,
}

impl Chart {
    fn x(&self, v: f64) -> f64 {
        LEFT + share(&self.x_ticks, v) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, v: f64) -> f64 {
        HEIGHT - BOTTOM - share(&self.y_ticks, v) * (HEIGHT - TOP - BOTTOM)
    }

    /// The SVG file.
    pub fn svg(&self) -> String {
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"><title>{0}</title>\
             <style>{STYLE}</style><rect class=\"page\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"8\"/>\
             <text class=\"title\" x=\"{LEFT}\" y=\"22\">{0}</text>\n",
            escape(&self.title)
        );
        self.axes(&mut out);
        for (i, series) in self.series.iter().enumerate() {
            self.line(&mut out, series, COLOURS[i % COLOURS.len()], i);
        }
        out.push_str("</svg>\n");
        out
    }

    fn axes(&self, out: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for (v, word) in &self.y_ticks {
            let y = self.y(*v);
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                escape(word)
            );
        }
        for (v, word) in &self.x_ticks {
            let x = self.x(*v);
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{bottom}\" x2=\"{x:.1}\" y2=\"{:.0}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>",
                bottom + 4.0,
                bottom + 18.0,
                escape(word)
            );
        }
        let middle = f64::midpoint(LEFT, right);
        let _ = writeln!(
            out,
            "<text x=\"{middle:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text><text x=\"{LEFT}\" y=\"38\">{}</text>",
            HEIGHT - 12.0,
            escape(&self.x_label),
            escape(&self.y_label)
        );
    }

    fn line(&self, out: &mut String, series: &Series, colour: &str, i: usize) {
        let places: Vec<(f64, f64)> = series.points.iter().map(|(x, y)| (self.x(*x), self.y(*y))).collect();
        let dash = if series.dashed { " stroke-dasharray=\"6 4\"" } else { "" };
        let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        let _ = writeln!(out, "<path d=\"M{}\" stroke=\"{colour}\"{dash}/>", path.join(" L"));
        if places.len() <= 24 {
            for (x, y) in &places {
                let _ = write!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a handful of lines")]
        let y = TOP + 10.0 + 22.0 * i as f64;
        let x = WIDTH - RIGHT + 14.0;
        let _ = writeln!(
            out,
            "<path d=\"M{x} {y} h20\" stroke=\"{colour}\"{dash}/><text x=\"{}\" y=\"{}\">{}</text>",
            x + 26.0,
            y + 4.0,
            escape(&series.name)
        );
    }
}

/// Where `v` lies between the first and the last tick.
fn share(ticks: &[(f64, String)], v: f64) -> f64 {
    let (Some(first), Some(last)) = (ticks.first(), ticks.last()) else { return 0.0 };
    ((v - first.0) / (last.0 - first.0).max(f64::EPSILON)).clamp(0.0, 1.0)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
