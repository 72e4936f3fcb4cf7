//! The report as people read it in a terminal.

use std::fmt::Write;

use super::{
    Counts, Failure, Outcome, Report, ScenarioReport, ScenarioStatus, StepReport, StepStatus, text::plain,
};

/// The report as text that ends with a newline: a line for each scenario, more for whatever was retried or failed, and
/// the sums. `colours` puts ANSI colours in; whether a terminal wants them is for the host to know.
#[must_use]
pub fn summary(report: &Report, colours: bool) -> String {
    let mut text = String::new();
    for scenario in &report.scenarios {
        show_scenario(&mut text, scenario, colours);
    }
    if report.scenarios.is_empty() {
        text.push_str("no scenario was run\n");
    }
    let sums = sums(report);
    let tone = match report.outcome {
        Outcome::Passed if report.retries > 0 => Tone::Warn,
        Outcome::Passed => Tone::Good,
        Outcome::Failed | Outcome::BadInput => Tone::Bad,
    };
    line(&mut text, &paint(&sums, tone, colours));
    text
}

fn show_scenario(text: &mut String, scenario: &ScenarioReport, colours: bool) {
    let (word, tone) = match scenario.status {
        ScenarioStatus::Passed => ("passed   ", Tone::Good),
        ScenarioStatus::PassedAfterRetry => ("retried  ", Tone::Warn),
        ScenarioStatus::Failed => ("FAILED   ", Tone::Bad),
        ScenarioStatus::Cancelled => ("cancelled", Tone::Bad),
    };
    let name = plain(&scenario.name);
    let retries = match scenario.retries() {
        0 => String::new(),
        1 => ", 1 retry".to_owned(),
        more => format!(", {more} retries"),
    };
    let took = seconds(scenario.duration_ms);
    line(text, &format!("{}  {name}  ({took}{retries})", paint(word, tone, colours)));
    for step in &scenario.steps {
        show_step(text, step, &scenario.file, colours);
    }
}

fn show_step(text: &mut String, step: &StepReport, file: &str, colours: bool) {
    let at = format!("step {} {}", step.number, plain(&step.what));
    for retried in &step.retried {
        let after = seconds(retried.after_ms);
        let said = format!(
            "{at}: attempt {} met {} after {after}",
            retried.attempt,
            plain(&retried.code.to_string())
        );
        line(text, &format!("           {}", paint(&said, Tone::Warn, colours)));
    }
    let failed = match step.status {
        StepStatus::Failed | StepStatus::Cancelled => step.failure.as_ref(),
        StepStatus::Passed | StepStatus::PassedAfterRetry | StepStatus::Skipped => None,
    };
    if let Some(failure) = failed {
        line(text, &format!("           {}", paint(&format!("{at} ({})", plain(file)), Tone::Bad, colours)));
        for part in parts(failure) {
            line(text, &format!("             {}", plain(&part)));
        }
    }
}

/// A failure in lines.
fn parts(failure: &Failure) -> Vec<String> {
    match failure {
        Failure::Assertion { mismatches } => mismatches
            .iter()
            .flat_map(|mismatch| {
                [
                    format!("{} expected {}", mismatch.field, mismatch.expected),
                    format!("{} found    {}", " ".repeat(mismatch.field.len()), mismatch.actual),
                ]
            })
            .collect(),
        Failure::Error { .. }
        | Failure::Answer { .. }
        | Failure::NoAnswer { .. }
        | Failure::WaitedInVain { .. }
        | Failure::Deadline { .. }
        | Failure::NoContention
        | Failure::Cancelled => vec![failure.to_string()],
    }
}

fn sums(report: &Report) -> String {
    let Counts { scenarios, passed, passed_after_retry, failed, cancelled } = report.counts;
    let mut sums = format!("{scenarios} scenario{}: {passed} passed", if scenarios == 1 { "" } else { "s" });
    for (count, what) in
        [(passed_after_retry, "passed after a retry"), (failed, "failed"), (cancelled, "cancelled")]
    {
        if count > 0 {
            // Writing to a text cannot fail.
            let _ = write!(sums, ", {count} {what}");
        }
    }
    let _ = write!(sums, "; {} of {} retries", report.retries, report.retry_budget);
    let _ = write!(sums, "; {}", seconds(report.duration_ms));
    sums
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

#[derive(Clone, Copy)]
enum Tone {
    Good,
    Warn,
    Bad,
}

fn paint(text: &str, tone: Tone, colours: bool) -> String {
    let code = match tone {
        Tone::Good => 32,
        Tone::Warn => 33,
        Tone::Bad => 31,
    };
    if colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
