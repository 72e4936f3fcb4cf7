//! A gateway that answers what a test tells it to, and keeps what it was asked.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use moorline_qa_retry::{Gateway, Report, Run, Scenario, read_scenarios};
use moorline_retry::SystemClock;
use moorline_taxonomy::{Code, Wire};
use serde_json::{Value, json};
use tokio::time::Instant;

/// One call as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) at: Duration,
    pub(crate) method: String,
    pub(crate) params: Value,
    pub(crate) deadline: Duration,
}

/// Answers in order; the last one for ever.
pub(crate) struct Scripted {
    answers: Mutex<VecDeque<Result<Value, Wire>>>,
    calls: Arc<Mutex<Vec<Call>>>,
    began: Instant,
}

impl Scripted {
    pub(crate) fn new(answers: impl IntoIterator<Item = Result<Value, Wire>>) -> Self {
        Self {
            answers: Mutex::new(answers.into_iter().collect()),
            calls: Arc::default(),
            began: Instant::now(),
        }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// The second at which each call came.
    pub(crate) fn seconds(&self) -> Vec<u64> {
        self.calls().iter().map(|call| call.at.as_secs()).collect()
    }
}

#[async_trait]
impl Gateway for Scripted {
    async fn call(&self, method: &str, params: Value, deadline: Duration) -> Result<Value, Wire> {
        let at = self.began.elapsed();
        self.calls.lock().unwrap().push(Call { at, method: method.to_owned(), params, deadline });
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 { answers.pop_front().unwrap() } else { answers.front().unwrap().clone() }
    }
}

/// A send that was answered.
pub(crate) fn replied(reply: &str) -> Result<Value, Wire> {
    Ok(
        json!({ "sendId": "s", "runId": "r", "accepted": true, "delivered": true, "replied": true, "reply": reply }),
    )
}

/// A send that was accepted and came to nothing.
pub(crate) fn came_to_nothing(error: &Wire) -> Result<Value, Wire> {
    Ok(
        json!({ "sendId": "s", "runId": "r", "accepted": true, "delivered": false, "replied": false, "error": error }),
    )
}

pub(crate) fn failed(code: impl Into<Code>) -> Result<Value, Wire> {
    Err(Wire::new(code, "refused"))
}

/// Scenarios of a file `t.yaml` whose steps are `steps`, one to a line.
pub(crate) fn scenario(steps: &[&str]) -> Vec<Scenario> {
    let steps: String = steps.iter().map(|step| format!("  - {step}\n")).collect();
    read_scenarios("t.yaml", &format!("name: t\ndeadlineMs: 60000\nsteps:\n{steps}")).unwrap()
}

pub(crate) const SEND: &str = "send: { to: 'agent:a:{run}', message: hello, timeoutMs: 2000 }";

pub(crate) async fn run(gateway: &dyn Gateway, scenarios: &[Scenario]) -> Report {
    Run::new("r7", gateway, &SystemClock).unwrap().run(scenarios).await
}
