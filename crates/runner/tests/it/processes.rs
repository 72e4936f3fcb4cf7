//! Several processes take turns of one session at the same time, and one of them is killed.
//!
//! Every turn is a foreign message to the turns that are waiting for their model, so there are many takeovers. What must stay
//! true: each turn that ended is where its outcome says, once; the transcript is whole; nobody is left with the lock.

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use moorline_lock_core::{LockConfig, Locks};
use moorline_runner::{
    Candidate, Incoming, Kind, Model, ModelError, ModelReply, ModelRequest, Nothing, RunOutcome, Runner,
    Stop, StreamSink, Turn, list_parked, read_session, scan_session,
};
use serde_json::Value;

use crate::{
    child::{Child, say},
    support::{Site, Tools},
};

const TURNS: usize = 12;

struct Slow(String);

#[async_trait]
impl Model for Slow {
    async fn call(
        &self,
        _request: &ModelRequest,
        _sink: &mut dyn StreamSink,
    ) -> Result<ModelReply, ModelError> {
        tokio::time::sleep(Duration::from_millis(2)).await;
        Ok(ModelReply::text(self.0.clone()))
    }
}

/// The child: `PATH NAME` takes its turns one after the other and says how each ended.
pub async fn turns(argument: &str) {
    let (path, name) = argument.rsplit_once(' ').unwrap();
    let runner = Runner::new(Locks::new(LockConfig::default()));
    for n in 0..TURNS {
        let key = format!("{name}-{n}");
        let mut turn = Turn {
            transcript: Path::new(path).to_owned(),
            session_key: "agent:main:main".into(),
            run_id: format!("run-{key}"),
            message: Incoming {
                text: format!("ask {key}"),
                idempotency_key: key.clone(),
                provenance: Value::Null,
            },
            candidates: vec![Candidate::new("scripted", "a")],
            may_requeue: true,
            ..Turn::default()
        };
        let model = Slow(format!("answer {key}"));
        let mut outcome = runner.run(&turn, &model, &Tools, &mut Nothing, &Stop::new()).await;
        if matches!(outcome, RunOutcome::Requeue(_)) {
            turn.may_requeue = false;
            turn.run_id.push_str("-again");
            outcome = runner.run(&turn, &model, &Tools, &mut Nothing, &Stop::new()).await;
        }
        match outcome {
            RunOutcome::Replied(_) => say(&format!("replied {key}")),
            RunOutcome::Superseded(superseded) if superseded.parked.is_some() => {
                say(&format!("parked {key}"))
            }
            RunOutcome::Superseded(_)
            | RunOutcome::Requeue(_)
            | RunOutcome::Failed(_)
            | RunOutcome::Cancelled(_) => {
                say(&format!("other {key}"));
            }
        }
    }
}

#[test]
fn processes_that_fight_over_a_session_lose_nothing() {
    let site = Site::new();
    crate::support::started(&site);
    let names = ["a", "b", "c", "d"];
    let start = |name: &str| Child::start("turns", &format!("{} {name}", site.path.display()));
    let mut children: Vec<_> = names.iter().map(|name| start(name)).collect();
    let mut said = Vec::new();
    // The last one is killed in the middle of its turns.
    let mut victim = children.pop().unwrap();
    said.extend(victim.says());
    said.extend(victim.says());
    victim.kill();
    for mut child in children {
        while let Some(one) = child.says() {
            said.push(one);
        }
        assert!(child.wait().0);
    }
    assert!(said.len() >= 3 * TURNS + 2);
    let entries: Vec<_> = scan_session(&site.path).unwrap().map(|entry| entry.unwrap()).collect();
    let parked = list_parked(&site.path).unwrap();
    assert_eq!(read_session(&site.path).unwrap().broken_lines(), 0);
    let (mut replied, mut were_parked) = (0, 0);
    for one in &said {
        let (outcome, key) = one.split_once(' ').unwrap();
        let count = |role: &str, text: String| {
            entries
                .iter()
                .filter(|e| e.kind() == Kind::Message && e.role() == Some(role) && e.text() == text)
                .count()
        };
        let in_parked = parked.iter().filter(|parked| parked.idempotency_key == key).count();
        let places =
            (count("user", format!("ask {key}")), count("assistant", format!("answer {key}")), in_parked);
        match outcome {
            "replied" => assert_eq!(places, (1, 1, 0), "{one}"),
            "parked" => assert_eq!(places, (1, 0, 1), "{one}"),
            other => panic!("{other} {key}"),
        }
        if outcome == "replied" { replied += 1 } else { were_parked += 1 }
    }
    println!("{replied} replied, {were_parked} parked");
    assert!(replied > 0);
    let target = moorline_lock_core::Target::sidecar_of(&site.path).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tag = moorline_lock_core::RunTag::new("audit");
    runtime.block_on(async { site.locks.acquire(&target, &tag).await.unwrap().release().await.unwrap() });
}
