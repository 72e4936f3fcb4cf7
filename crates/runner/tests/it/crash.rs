//! Kill -9 at every step of a turn, in real processes; then a fresh process goes on.
//!
//! The steps are the lock's own failpoints (before and after each system call of acquire and release), the clock (asked
//! before every append), the model and the tools. The child kills itself at the n-th of them, for every n.

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::{Instant, SystemTime},
};

use async_trait::async_trait;
use moorline_lock_core::{LockConfig, Locks, failpoint};
use moorline_retry::{Clock, Sleep, SystemClock};
use moorline_runner::{
    Candidate, Incoming, Kind, Model, ModelError, ModelReply, ModelRequest, Nothing, RunOutcome, Runner,
    Stop, StreamSink, ToolCall, ToolContext, ToolEffect, ToolError, ToolHost, ToolResult, Turn, read_session,
    scan_session,
};
use serde_json::Value;

use crate::{
    child::{Child, say},
    support::{Site, wants},
};

static STEP: AtomicU64 = AtomicU64::new(0);
static KILL_AT: AtomicU64 = AtomicU64::new(u64::MAX);

/// Counts a step and dies there if it is the one.
fn step(_name: &'static str) {
    if STEP.fetch_add(1, Ordering::SeqCst) == KILL_AT.load(Ordering::SeqCst) {
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
    }
}

struct Steps;

impl Clock for Steps {
    fn now(&self) -> Instant {
        SystemClock.now()
    }

    fn wall(&self) -> SystemTime {
        step("clock");
        SystemTime::now()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        SystemClock.sleep_until(deadline)
    }
}

/// Wants a tool, then answers.
struct TwoSteps;

#[async_trait]
impl Model for TwoSteps {
    async fn call(
        &self,
        request: &ModelRequest,
        _sink: &mut dyn StreamSink,
    ) -> Result<ModelReply, ModelError> {
        step("model begins");
        let answered = request
            .messages
            .iter()
            .any(|message| matches!(message, moorline_runner::Message::ToolResult { .. }));
        step("model ends");
        Ok(if answered { ModelReply::text("done") } else { wants("c1", "count") })
    }
}

/// A tool with an effect that can be counted: a line in a file beside the transcript.
struct Counting(std::path::PathBuf);

#[async_trait]
impl ToolHost for Counting {
    async fn call(&self, _call: &ToolCall, _context: &ToolContext) -> Result<ToolResult, ToolError> {
        use std::io::Write;
        step("tool begins");
        std::fs::OpenOptions::new().create(true).append(true).open(&self.0).unwrap().write_all(b"x").unwrap();
        step("tool ends");
        Ok(ToolResult { text: "counted".into(), is_error: false })
    }

    fn effect(&self, _name: &str) -> ToolEffect {
        ToolEffect::Possible
    }
}

async fn run(path: &Path, run_id: &str, key: &str) -> RunOutcome {
    let turn = Turn {
        transcript: path.to_owned(),
        session_key: "agent:main:main".into(),
        run_id: run_id.into(),
        message: Incoming { text: key.into(), idempotency_key: key.into(), provenance: Value::Null },
        candidates: vec![Candidate::new("scripted", "a")],
        ..Turn::default()
    };
    let runner = Runner::new(Locks::new(LockConfig::default())).with_clock(std::sync::Arc::new(Steps));
    runner.run(&turn, &TwoSteps, &Counting(path.with_extension("effects")), &mut Nothing, &Stop::new()).await
}

/// The child: `PATH N` runs a turn and dies at step N.
pub async fn turn(argument: &str) {
    let (path, at) = argument.rsplit_once(' ').unwrap();
    failpoint::install(step);
    KILL_AT.store(at.parse().unwrap(), Ordering::SeqCst);
    let outcome = run(Path::new(path), "r1", "hi").await;
    say(&format!("{} {}", STEP.load(Ordering::SeqCst), matches!(outcome, RunOutcome::Replied(_))));
}

/// What happens between the death of a turn and its next run.
enum Meanwhile {
    Nothing,
    /// The session goes on, and everything before that is compacted.
    Compacted,
}

#[tokio::test]
async fn a_turn_killed_at_any_step_is_continued_by_a_fresh_process() {
    killed_at_any_step(Meanwhile::Nothing).await;
}

#[tokio::test]
async fn a_turn_killed_at_any_step_and_compacted_away_is_continued_by_a_fresh_process() {
    killed_at_any_step(Meanwhile::Compacted).await;
}

async fn killed_at_any_step(meanwhile: Meanwhile) {
    let mut steps = 0;
    let mut died = 0;
    loop {
        let site = Site::new();
        crate::support::started(&site);
        let mut child = Child::start("turn", &format!("{} {steps}", site.path.display()));
        let said = child.says();
        let (_, signal) = child.wait();
        if let Some(said) = said {
            assert!(said.ends_with("true"), "{said}");
            assert_eq!(signal, None);
            // Past the last step.
            break;
        }
        assert_eq!(signal, Some(9), "step {steps}");
        died += 1;

        let before: Vec<_> = scan_session(&site.path).unwrap().map(|entry| entry.unwrap()).collect();
        let session = read_session(&site.path).unwrap();
        assert_eq!(session.broken_lines(), 0);
        let written = before
            .iter()
            .any(|entry| entry.role() == Some("user") && entry.text() == "hi" && entry.id() != Some("u1"));
        let answered = before.iter().any(|entry| entry.text() == "done");
        let unfinished = session.unfinished();
        match (written, answered) {
            (true, true) => assert_eq!(unfinished, None, "step {steps}"),
            (true, false) => {
                assert_eq!(unfinished.unwrap().idempotency_key.as_deref(), Some("hi"), "step {steps}")
            }
            (false, _) => assert_eq!(unfinished.unwrap().entry_id.as_deref(), Some("u1"), "step {steps}"),
        }

        match meanwhile {
            Meanwhile::Nothing => {}
            Meanwhile::Compacted => crate::keys::compacted(&site).await,
        }
        // A fresh process (this one) sends the same message again.
        let outcome = run(&site.path, "r2", "hi").await;
        assert!(
            matches!(&outcome, RunOutcome::Replied(reply) if reply.text == "done"),
            "step {steps}: {outcome:?}"
        );
        let after: Vec<_> = scan_session(&site.path).unwrap().map(|entry| entry.unwrap()).collect();
        for (old, new) in before.iter().zip(&after) {
            assert_eq!(old.raw(), new.raw(), "step {steps}: nothing is lost or changed");
        }
        let count = |role: &str, text: &str| {
            after
                .iter()
                .filter(|e| e.kind() == Kind::Message && e.role() == Some(role) && e.text() == text)
                .count()
        };
        // The first message of the session says "hi", too.
        assert_eq!(
            (count("user", "hi"), count("assistant", "done")),
            (2, 1),
            "step {steps}: nothing is there twice"
        );
        if matches!(meanwhile, Meanwhile::Compacted) {
            let session = read_session(&site.path).unwrap();
            assert!(session.is_cut());
            let told = session.branch().any(|entry| entry.text() == "hi");
            assert_eq!(told, !written, "step {steps}: what was written before the compaction stays there");
        }
        let effects = std::fs::read(site.path.with_extension("effects")).unwrap_or_default();
        assert!(
            effects.len() <= 1,
            "step {steps}: a tool whose call is in the transcript is never called again"
        );
        assert!(site.lock_is_free());
        steps += 1;
    }
    assert!(died > 30, "only {died} steps were met");
    println!("killed at {died} steps");
}
