//! The table, the plot, and whether the goal was met.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::Args;
use crate::catalog::{AGES, Day, Kind};
use crate::day::{Asked, Outcome};

/// Of the needles that perception reported, in percent.
const GOAL: f64 = 95.0;

struct Share {
    right: usize,
    of: usize,
}

impl Share {
    fn percent(&self) -> f64 {
        if self.of == 0 { f64::NAN } else { 100.0 * self.right as f64 / self.of as f64 }
    }
}

fn share<'a>(asked: impl Iterator<Item = &'a Asked>, who: usize) -> Share {
    let mut share = Share { right: 0, of: 0 };
    for (_, right) in asked.filter_map(|a| a.answers[who].as_ref()) {
        share.of += 1;
        share.right += usize::from(*right);
    }
    share
}

fn cell(s: &Share) -> String {
    if s.of == 0 { "–".to_owned() } else { format!("{:.1} % ({}/{})", s.percent(), s.right, s.of) }
}

/// Prints everything; false when the goal was missed.
pub fn print(args: &Args, day: &Day, outcome: &Outcome) -> bool {
    failures(outcome);
    let reported: BTreeSet<usize> =
        outcome.needles.iter().filter(|a| a.reported).filter_map(|a| a.needle).map(|(n, _)| n).collect();
    println!(
        "\nseed {}, {:.1} h, {} scenes, {} looks, {} needles of which perception reported {}, {} s of real time{}",
        args.seed,
        day.end.as_secs_f64() / 3_600.0,
        day.scenes.len(),
        outcome.looks,
        day.needles.len(),
        reported.len(),
        outcome.took.as_secs(),
        if args.facts { ", judged by the words of the facts alone" } else { "" }
    );
    println!("\n| age | (a) last 4 looks | (b) memory | (b) of all needles, reported or not |\n|---|---|---|---|");
    let of = |age: Option<usize>, kind: Option<Kind>, all: bool| {
        outcome.needles.iter().filter(move |a| {
            let (n, i) = a.needle.expect("a needle's question");
            (all || a.reported) && age.is_none_or(|age| age == i) && kind.is_none_or(|k| day.needles[n].kind == k)
        })
    };
    for (i, (_, name)) in AGES.iter().enumerate() {
        let row =
            [share(of(Some(i), None, false), 0), share(of(Some(i), None, false), 1), share(of(Some(i), None, true), 1)];
        println!("| {name} | {} | {} | {} |", cell(&row[0]), cell(&row[1]), cell(&row[2]));
    }
    for kind in [Kind::Object, Kind::Sign, Kind::Spoken, Kind::Change] {
        let row = [
            share(of(None, Some(kind), false), 0),
            share(of(None, Some(kind), false), 1),
            share(of(None, Some(kind), true), 1),
        ];
        println!("| {kind:?} | {} | {} | {} |", cell(&row[0]), cell(&row[1]), cell(&row[2]));
    }
    let all = [share(of(None, None, false), 0), share(of(None, None, false), 1), share(of(None, None, true), 1)];
    println!("| **all** | {} | {} | {} |", cell(&all[0]), cell(&all[1]), cell(&all[2]));
    let seen = |all: bool| outcome.present.iter().filter(move |a| all || a.reported);
    let present = [share(seen(false), 0), share(seen(false), 1), share(seen(true), 1)];
    println!("| the present | {} | {} | {} |", cell(&present[0]), cell(&present[1]), cell(&present[2]));
    let absent = [share(outcome.absent.iter(), 0), share(outcome.absent.iter(), 1)];
    println!("| never shown, denied | {} | {} | |", cell(&absent[0]), cell(&absent[1]));
    for (name, asked) in
        ["shown again, recognised with its time", "not shown before, denied"].into_iter().zip(&outcome.again)
    {
        println!("| {name} | {} | {} | |", cell(&share(asked.iter(), 0)), cell(&share(asked.iter(), 1)));
    }
    if let Some(file) = &args.svg {
        let rows: Vec<[f64; 2]> =
            (0..AGES.len()).map(|i| [0, 1].map(|who| share(of(Some(i), None, false), who).percent())).collect();
        match std::fs::write(file, plot(&rows)) {
            Ok(()) => println!("\nplot: {}", file.display()),
            Err(e) => eprintln!("needle: {}: {e}", file.display()),
        }
    }
    let no_worse = present[0].of == 0 || present[1].right >= present[0].right;
    let good = all[1].percent() >= GOAL && no_worse;
    println!(
        "\ngoal (≥ {GOAL} % of reported needles, the present no worse than without memory): {}",
        if good { "met" } else { "missed" }
    );
    good
}

fn failures(outcome: &Outcome) {
    let [shown, new] = &outcome.again;
    let lists = [
        ("needle", &outcome.needles),
        ("present", &outcome.present),
        ("absent", &outcome.absent),
        ("again", shown),
        ("new", new),
    ];
    for (what, list) in lists {
        for asked in list {
            if let Some((answer, false)) = &asked.answers[1] {
                let hidden = if asked.reported { "" } else { " (not reported)" };
                println!(
                    "{what}{hidden} at {:.0} s: {:?} wanted {} got {:?} [{}; cited {:?}]",
                    asked.at.as_secs_f64(),
                    asked.question,
                    asked.wanted,
                    answer.text,
                    answer.route,
                    answer.cited
                );
            }
        }
    }
}

/// Recall by age as a picture, no library: two lines over six ages.
fn plot(rows: &[[f64; 2]]) -> String {
    const W: f64 = 640.0;
    const H: f64 = 320.0;
    const LEFT: f64 = 60.0;
    const TOP: f64 = 30.0;
    let (w, h) = (W - LEFT - 150.0, H - TOP - 50.0);
    let x = |i: usize| LEFT + w * i as f64 / (rows.len() - 1).max(1) as f64;
    let y = |percent: f64| TOP + h * (1.0 - percent / 100.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {W} {H}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{W}\" height=\"{H}\" fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"18\" font-size=\"14\">Recall of what perception reported, by age</text>\n"
    );
    for percent in [0, 25, 50, 75, 95, 100] {
        let at = y(f64::from(percent));
        let colour = if percent == 95 { "#2a7" } else { "#ddd" };
        let _ = writeln!(out, "<line x1=\"{LEFT}\" y1=\"{at}\" x2=\"{}\" y2=\"{at}\" stroke=\"{colour}\"/>", LEFT + w);
        if percent != 100 {
            let _ =
                writeln!(out, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{percent} %</text>", LEFT - 6.0, at + 4.0);
        }
    }
    for (i, (_, name)) in AGES.iter().enumerate().take(rows.len()) {
        let name = name.trim_end_matches(" ago");
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-size=\"10\">{name}</text>",
            x(i),
            TOP + h + 18.0
        );
    }
    for (who, name, colour) in [(0, "(a) last 4 looks", "#c33"), (1, "(b) memory", "#24c")] {
        let points: Vec<(f64, f64)> =
            rows.iter().enumerate().filter(|(_, r)| r[who].is_finite()).map(|(i, r)| (x(i), y(r[who]))).collect();
        let line: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            line.join(" ")
        );
        for (x, y) in &points {
            let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
        }
        if let Some((px, py)) = points.last() {
            let _ = writeln!(out, "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{name}</text>", px + 10.0, py + 4.0);
        }
    }
    out.push_str("</svg>\n");
    out
}
