//! Telling what happens: a line each, with the time, the code or event, and the owner.

use std::time::Instant;

use crate::terminal::{Tone, paint, say};

pub(crate) struct Story {
    began: Instant,
}

impl Story {
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now() }
    }

    pub(crate) fn elapsed(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    pub(crate) fn chapter(&mut self, title: &str) {
        say("");
        say(title.to_uppercase());
    }

    /// Time, what happened, to whom.
    pub(crate) fn line(&self, what: &str, text: &str) {
        let tone = match what {
            "replied" | "accepted" | "parked" | "acquired" | "finished" | "announced" | "took over"
            | "in place" => Tone::Good,
            "SIGKILL" | "SIGSTOP" => Tone::Bad,
            _ if what.starts_with("coordination.") => Tone::Warn,
            _ => Tone::Plain,
        };
        let padded = format!("{what:<28}");
        say(format!("{:6.2}  {} {text}", self.elapsed(), paint(&padded, tone)));
    }

    /// The same with the process concerned.
    pub(crate) fn owner(&self, what: &str, pid: u32, text: &str) {
        self.line(what, &format!("pid {pid} {text}"));
    }
}
