//! Progress on the terminal: bars where somebody watches, plain lines where a file or a CI does.

use std::cell::RefCell;
use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::weights::Progress;

/// Bars on a terminal, else lines.
pub(super) fn for_stderr() -> Box<dyn Progress> {
    if stderr().is_terminal() { Box::new(Bars::default()) } else { Box::new(Lines::default()) }
}

/// A bar per step; a spinner where the size is not known.
#[derive(Default)]
struct Bars(RefCell<Option<ProgressBar>>);

impl Progress for Bars {
    fn begin(&self, what: &str, bytes: Option<u64>) {
        match bytes {
            Some(n) => {
                self.show(what, ProgressBar::new(n), "{msg}  [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}");
            }
            None => self.show(what, ProgressBar::new_spinner(), "{spinner} {msg}  {elapsed}"),
        }
    }

    fn begin_steps(&self, what: &str, steps: u64) {
        self.show(what, ProgressBar::new(steps), "{msg}  [{bar:30}] {pos}/{len} {eta}");
    }

    fn advance(&self, bytes: u64) {
        if let Some(bar) = &*self.0.borrow() {
            bar.inc(bytes);
        }
    }

    fn end(&self) {
        if let Some(bar) = self.0.borrow_mut().take() {
            bar.finish_and_clear();
        }
    }

    fn note(&self, line: &str) {
        let _ = writeln!(stderr(), "  {line}");
    }
}

impl Bars {
    fn show(&self, what: &str, bar: ProgressBar, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        *self.0.borrow_mut() = Some(bar);
    }
}

/// A line when a step begins and at each quarter of a large one.
#[derive(Default)]
struct Lines(RefCell<Step>);

#[derive(Default)]
struct Step {
    done: u64,
    total: u64,
    quarter: u64,
}

/// Smaller steps are over before a quarter is worth a line.
const WORTH_QUARTERS_BYTES: u64 = 50_000_000;

impl Progress for Lines {
    fn begin(&self, what: &str, bytes: Option<u64>) {
        let size = bytes.map(|b| format!(" ({})", human(b))).unwrap_or_default();
        let _ = writeln!(stderr(), "  {what}{size}");
        *self.0.borrow_mut() = Step { done: 0, total: bytes.unwrap_or(0), quarter: 0 };
    }

    fn advance(&self, bytes: u64) {
        let mut step = self.0.borrow_mut();
        step.done += bytes;
        if step.total < WORTH_QUARTERS_BYTES {
            return;
        }
        let quarter = step.done * 4 / step.total;
        if quarter > step.quarter && quarter < 4 {
            step.quarter = quarter;
            let _ = writeln!(stderr(), "    {} %", quarter * 25);
        }
    }

    fn end(&self) {}

    fn note(&self, line: &str) {
        let _ = writeln!(stderr(), "  {line}");
    }
}

/// Bytes for people: decimal units, as disks are sold.
pub(super) fn human(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
    }
}
