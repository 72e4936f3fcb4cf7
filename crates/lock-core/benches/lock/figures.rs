//! Samples, percentiles and lines of the report.

use std::{path::Path, process::Command, time::Duration};

/// Durations of one thing.
#[derive(Default)]
pub(crate) struct Samples(Vec<Duration>);

impl From<Vec<Duration>> for Samples {
    fn from(samples: Vec<Duration>) -> Self {
        Self(samples)
    }
}

impl Samples {
    pub(crate) fn push(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn percentile(&mut self, percent: f64) -> Duration {
        self.0.sort_unstable();
        let at = ((self.0.len() as f64 - 1.0) * percent / 100.0).round() as usize;
        self.0.get(at).copied().unwrap_or_default()
    }

    pub(crate) fn mean(&self) -> Duration {
        self.0.iter().sum::<Duration>() / u32::try_from(self.0.len().max(1)).unwrap()
    }

    pub(crate) fn line(&mut self, what: &str) {
        let (p50, p99, max) = (self.percentile(50.0), self.percentile(99.0), self.percentile(100.0));
        println!(
            "  {what:<46} p50 {:>9.1} us   p99 {:>9.1} us   max {:>9.1} us   n {}",
            us(p50),
            us(p99),
            us(max),
            self.0.len()
        );
    }
}

/// Ratios, one of each round.
#[derive(Default)]
pub(crate) struct Spread(Vec<f64>);

impl Spread {
    pub(crate) fn push(&mut self, ratio: f64) {
        self.0.push(ratio);
    }

    pub(crate) fn line(&mut self, rounds: usize) -> String {
        self.0.sort_unstable_by(f64::total_cmp);
        let at = |percent: usize| self.0[(self.0.len() - 1) * percent / 100];
        format!("{:.2} x (median of {rounds} rounds, p10 {:.2}, p90 {:.2})", at(50), at(10), at(90))
    }
}

pub(crate) fn us(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

pub(crate) fn filesystem(dir: &Path) -> String {
    let output = Command::new("stat").args(["-f", "-c", "%T"]).arg(dir).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
