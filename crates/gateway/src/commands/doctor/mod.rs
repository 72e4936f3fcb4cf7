//! `moorline doctor`: looks at everything a state directory needs, and says what to do.
//!
//! The decision: it only looks. What it finds is a list of findings, each with its place and a next step; nothing is
//! repaired, created (but for a probe of the file system, which is taken away again) or opened for writing, so that it can
//! be run beside a gateway at any time. The option not taken is `--fix`: whatever may be done without asking, the next
//! start does by itself.

mod configuration;
mod directory;
mod files;
mod filesystem;
mod gateway;
mod machine;

use std::path::Path;

use moorline_lock_core::OnStale;
use serde::Serialize;

use crate::{
    cli::DoctorArgs,
    exit::Exit,
    settings,
    state_dir::StateDir,
    terminal::{Tone, cell, lines, paint, say, table},
};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
enum State {
    Ok,
    /// It works, and somebody should look.
    Warn,
    /// It does not work, or will not.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    check: &'static str,
    state: State,
    what: String,
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, state: State::Ok, what: what.into(), place: None, next: None }
    }

    fn warn(check: &'static str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { state: State::Warn, next: Some(next.into()), ..Self::ok(check, what) }
    }

    fn fail(check: &'static str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { state: State::Fail, next: Some(next.into()), ..Self::ok(check, what) }
    }

    fn at(self, place: &Path) -> Self {
        Self { place: Some(place.display().to_string()), ..self }
    }
}

/// Everything that was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    state_dir: String,
    ok: bool,
    checks: Vec<Finding>,
}

pub(crate) fn run(args: &DoctorArgs) -> anyhow::Result<Exit> {
    let root = StateDir::default_root(args.state.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let checks = runtime.block_on(look(&root));
    let report = Report {
        state_dir: root.display().to_string(),
        ok: checks.iter().all(|finding| finding.state == State::Ok),
        checks,
    };
    if args.json {
        say(serde_json::to_string_pretty(&report)?);
    } else {
        show(&report);
    }
    Ok(exit(&report))
}

async fn look(root: &Path) -> Vec<Finding> {
    let mut checks = directory::look(root);
    let read = settings::read(&settings::path_of(root), OnStale::Wait, settings::environment);
    checks.extend(configuration::look(root, &read));
    checks.extend(machine::look());
    // The rest is inside the directory, and would say the same thing many times over.
    if checks.iter().any(|finding| finding.check == directory::CHECK && finding.state == State::Fail) {
        return checks;
    }
    checks.extend(filesystem::look(root).await);
    let state = StateDir::as_it_is(root);
    checks.extend(gateway::look(&state).await);
    checks.extend(files::look(&state, read.settings.lock));
    checks
}

/// A wrong configuration has a code of its own: it is the one finding with which `serve` does not start.
fn exit(report: &Report) -> Exit {
    let failed = |check: &str| {
        report.checks.iter().any(|finding| finding.check == check && finding.state == State::Fail)
    };
    match report.ok {
        true => Exit::Ok,
        false if failed(configuration::CHECK) || failed(configuration::MODELS) => Exit::Config,
        false => Exit::Findings,
    }
}

fn show(report: &Report) {
    let mut rows = table(["", "check", "found", "what to do"]);
    for finding in &report.checks {
        let (word, tone) = match finding.state {
            State::Ok => ("ok", Tone::Good),
            State::Warn => ("warn", Tone::Warn),
            State::Fail => ("fail", Tone::Bad),
        };
        let place = finding.place.as_deref();
        rows.add_row([
            cell(word, tone),
            cell(finding.check, Tone::Plain),
            lines([Some(finding.what.as_str()), place]),
            cell(finding.next.as_deref().unwrap_or_default(), Tone::Plain),
        ]);
    }
    say(rows.to_string());
    let count = |state: State| report.checks.iter().filter(|finding| finding.state == state).count();
    let (warned, failed) = (count(State::Warn), count(State::Fail));
    let tone = if failed > 0 {
        Tone::Bad
    } else if warned > 0 {
        Tone::Warn
    } else {
        Tone::Good
    };
    let total = report.checks.len();
    say(paint(
        &format!("{total} checks of {}: {failed} failed, {warned} to look at", report.state_dir),
        tone,
    ));
}
