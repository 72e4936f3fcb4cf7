//! What a reader of types cannot see: steps that could never pass, or never fail.

use super::{ExpectStep, ScenarioProblem, Step, WaitFor, WaitStep};

/// The most turns of ping-pong that a gateway allows.
const MOST_PING_PONG: u8 = 20;

/// Something without a meaning, and where.
pub(super) struct Fault {
    pub(super) problem: ScenarioProblem,
    pub(super) step: Option<usize>,
    pub(super) field: Option<String>,
}

pub(super) fn check(name: &str, steps: &[Step]) -> Result<(), Fault> {
    let whole = |problem, field: &str| Fault { problem, step: None, field: Some(field.to_owned()) };
    if name.trim().is_empty() {
        return Err(whole(ScenarioProblem::NoName, "name"));
    }
    if steps.is_empty() {
        return Err(whole(ScenarioProblem::NoSteps, "steps"));
    }
    for (index, step) in steps.iter().enumerate() {
        check_step(step, &steps[..index]).map_err(|(field, wanted)| Fault {
            problem: ScenarioProblem::Meaningless(wanted),
            step: Some(index + 1),
            field: Some(field.to_owned()),
        })?;
    }
    Ok(())
}

type Checked = Result<(), (&'static str, &'static str)>;

fn check_step(step: &Step, before: &[Step]) -> Checked {
    let filled = |texts: &[(&'static str, &str)]| match texts.iter().find(|(_, text)| text.trim().is_empty())
    {
        Some((field, _)) => Err((*field, "must not be empty")),
        None => Ok(()),
    };
    match step {
        Step::Create(step) => filled(&[("create.key", &step.key)]),
        Step::Send(step) => {
            if step.max_ping_pong.is_some_and(|turns| turns > MOST_PING_PONG) {
                return Err(("send.maxPingPong", "is 0 to 20"));
            }
            let from = step.from.as_deref().unwrap_or(&step.to);
            filled(&[("send.to", &step.to), ("send.message", &step.message), ("send.from", from)])
        }
        Step::Spawn(step) => filled(&[("spawn.requester", &step.requester), ("spawn.task", &step.task)]),
        Step::Agent(step) => filled(&[("agent.key", &step.key), ("agent.message", &step.message)]),
        Step::Contention(step) => filled(&[("contention.key", &step.key)]),
        Step::Wait(step) => check_wait(step, before),
        Step::Expect(step) => check_expect(step, before),
    }
}

fn check_wait(step: &WaitStep, before: &[Step]) -> Checked {
    let WaitStep { what, requester, count, key, timeout: _ } = step;
    match what {
        WaitFor::Announce if requester.is_none() => {
            Err(("wait.requester", "waiting for an announce needs it"))
        }
        WaitFor::Announce if *count == Some(0) => Err(("wait.count", "there is nothing to wait for")),
        WaitFor::Announce if key.is_some() => Err(("wait.key", "an announce is found by its requester")),
        WaitFor::Idle if key.is_none() => Err(("wait.key", "waiting for an idle session needs it")),
        WaitFor::Run if !before.iter().any(starts_run) => {
            Err(("wait.for", "no step before starts a run: send, spawn or agent"))
        }
        WaitFor::Run if key.is_some() => Err(("wait.key", "the run is the one that was started last")),
        WaitFor::Idle | WaitFor::Run if requester.is_some() => {
            Err(("wait.requester", "only announces have a requester"))
        }
        WaitFor::Idle | WaitFor::Run if count.is_some() => Err(("wait.count", "only announces are counted")),
        WaitFor::Announce | WaitFor::Idle | WaitFor::Run => Ok(()),
    }
}

fn check_expect(step: &ExpectStep, before: &[Step]) -> Checked {
    if step.subjects().is_empty() {
        return Err(("expect", "expects nothing"));
    }
    let acts = before.last().is_some_and(|step| !matches!(step, Step::Expect(_)));
    if step.error.is_some() && !acts {
        return Err(("expect.error", "must come right after the step that fails"));
    }
    if step.error.is_some() && step.reply.is_some() {
        return Err(("expect.reply", "a step that fails has no reply"));
    }
    if step.attempts.is_some() && !before.iter().any(|step| !matches!(step, Step::Expect(_))) {
        return Err(("expect.attempts", "no step before can have been tried"));
    }
    if step.attempts.as_ref().is_some_and(|attempts| attempts.min.is_none() && attempts.max.is_none()) {
        return Err(("expect.attempts", "needs min or max"));
    }
    if (step.reply.is_some() || step.outcome.is_some()) && !before.iter().any(starts_run) {
        return Err((
            if step.reply.is_some() { "expect.reply" } else { "expect.outcome" },
            "no step before gives one: send or agent",
        ));
    }
    if let Some(facts) = &step.send {
        if !before.iter().any(|step| matches!(step, Step::Send(_))) {
            return Err(("expect.send", "no step before sends"));
        }
        if facts.accepted.is_none() && facts.delivered.is_none() && facts.replied.is_none() {
            return Err(("expect.send", "needs accepted, delivered or replied"));
        }
    }
    let child =
        |key: &str| key.contains("{child}") && !before.iter().any(|step| matches!(step, Step::Spawn(_)));
    let history = step.history.as_ref().map(|history| ("expect.history.key", &history.key));
    let tool = step.tool_call.as_ref().map(|tool| ("expect.toolCall.key", &tool.key));
    match history.into_iter().chain(tool).find(|(_, key)| child(key)) {
        Some((field, _)) => Err((field, "no step before spawns a {child}")),
        None => Ok(()),
    }
}

fn starts_run(step: &Step) -> bool {
    match step {
        Step::Send(_) | Step::Spawn(_) | Step::Agent(_) => true,
        Step::Create(_) | Step::Wait(_) | Step::Expect(_) | Step::Contention(_) => false,
    }
}
