//! Runner processes on the gateway's transcripts: so many at a time, one turn each, started again when refused.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{
    Stress,
    callers::{PATIENCE, PAUSE, text_of},
    plan::Step,
    record::{Answer, Asked, Record, Told},
};
use crate::{
    clock,
    exit::Exit,
    processes::{self, Ended, Runner},
    session_key::SessionKey,
};

impl Stress {
    /// One place for runner processes: takes its steps one after the other, each not before its time.
    pub(super) async fn run_slot(&self, steps: Vec<Step>) -> anyhow::Result<()> {
        for step in steps {
            tokio::time::sleep_until(self.began + step.at).await;
            let (at, began) = (clock::wall_ms(), Instant::now());
            let text = text_of(step.number, &step.call);
            let mut tries = 0;
            let ended = loop {
                tries += 1;
                let mut runner = self.runner(step.call.session(), &text, &[])?;
                let ended = runner.wait(PATIENCE).await?;
                if !is_busy(&ended) || began.elapsed() >= PATIENCE {
                    break ended;
                }
                self.recorder.write(&Record::Again {
                    step: step.number,
                    at: clock::wall_ms(),
                    code: code_of(&ended).unwrap_or_default(),
                })?;
                tokio::time::sleep(PAUSE).await;
            };
            let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.recorder.write(&Record::Told(told(&step, at, ms, tries, &ended)))?;
            self.progress.inc(1);
        }
        Ok(())
    }

    /// Starts a runner process, under another program where one is named.
    pub(super) fn runner(&self, session: &SessionKey, text: &str, under: &[&str]) -> anyhow::Result<Runner> {
        Runner::start(self.runner_command(session, text, under)?)
    }

    /// The same, compacting first and so holding the lock at least that long.
    pub(super) fn holding_runner(
        &self,
        session: &SessionKey,
        text: &str,
        hold: Duration,
    ) -> anyhow::Result<Runner> {
        let mut command = self.runner_command(session, text, &[])?;
        command.args(["--compact-first-ms", &hold.as_millis().to_string()]);
        Runner::start(command)
    }

    fn runner_command(
        &self,
        session: &SessionKey,
        text: &str,
        under: &[&str],
    ) -> anyhow::Result<tokio::process::Command> {
        let mut command = processes::agent(&self.state, session.as_str(), text, under)?;
        command.arg("--script").arg(&self.script);
        Ok(command)
    }
}

/// Refused before it began: somebody else has the session.
pub(super) fn is_busy(ended: &Ended) -> bool {
    ended.exit == i32::from(Exit::Busy.code())
}

fn code_of(ended: &Ended) -> Option<String> {
    ended.wire().map(|wire| wire.code.to_string())
}

fn told(step: &Step, at: u64, ms: u64, tries: u32, ended: &Ended) -> Told {
    let said = serde_json::from_str::<Value>(&ended.stdout).unwrap_or_default();
    let text = |name: &str| said.get(name).and_then(Value::as_str).map(str::to_owned);
    let answer = match ended.exit {
        0 => Answer::Replied,
        // Ended by a signal.
        exit if exit < 0 => Answer::Died,
        _ => Answer::Failed,
    };
    Told {
        step: step.number,
        asked: Asked::Runner,
        session: step.call.session().clone(),
        key: None,
        at,
        ms,
        tries,
        answer,
        run_id: text("runId"),
        reply: text("reply"),
        code: code_of(ended),
    }
}
