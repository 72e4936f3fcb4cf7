//! How far a run is: a bar on a terminal, lines elsewhere, nothing when JSON is asked for.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use crate::terminal::say;

pub(crate) struct Progress {
    bar: ProgressBar,
    quiet: bool,
}

impl Progress {
    pub(crate) fn new(steps: usize, quiet: bool) -> Self {
        let bar = if quiet || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            let bar = ProgressBar::new(steps as u64);
            if let Ok(style) = ProgressStyle::with_template("{elapsed:>4} {wide_bar} {pos}/{len} calls {msg}")
            {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        };
        Self { bar, quiet }
    }

    pub(crate) fn inc(&self, calls: u64) {
        self.bar.inc(calls);
    }

    pub(crate) fn message(&self, text: &'static str) {
        self.bar.set_message(text);
    }

    /// A line that stays, above the bar.
    pub(crate) fn println(&self, line: impl AsRef<str>) {
        if !self.quiet {
            self.bar.suspend(|| say(line));
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
