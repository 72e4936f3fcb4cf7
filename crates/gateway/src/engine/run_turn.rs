//! Turns of the gateway: from an accepted message to the one end of its run.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moorline_taxonomy::{Cancelled, Local, Wire};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Engine, Incoming, TurnEnd,
    keys::{Asked, Known},
    lanes::Place,
    runs::Run,
    sends::{check_key, check_message},
    tools::GatewayTools,
    turns::told,
};
use crate::{
    events::Event,
    exit::{self, Exit, Failure},
    session_key::SessionKey,
};

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AgentParams {
    pub(crate) session_key: SessionKey,
    /// At most 256 KiB.
    pub(crate) message: String,
    /// How long the caller waits, in milliseconds; until the end when it is left out. The turn goes on after it.
    pub(crate) timeout_ms: Option<u64>,
    /// The same key is the same turn.
    pub(crate) idempotency_key: Option<String>,
}

impl Engine {
    /// A turn of a session, asked for by a user. Waits as long as the caller does; without a timeout until the end.
    pub(crate) async fn agent(self: &Arc<Self>, params: AgentParams) -> anyhow::Result<Value> {
        check_message(&params.message)?;
        check_key(params.idempotency_key.as_deref())?;
        let key = params.idempotency_key.unwrap_or_else(|| ulid::Ulid::generate().to_string());
        let asked = Asked::message(None, &params.session_key, &params.message);
        let accepting = self.keys.accepting();
        let run_id = match self.keys.find(&key, &asked)? {
            Some(Known { run_id: Some(run_id), .. }) if self.runs.get(&run_id).is_some() => run_id,
            // New, or ended long ago or in an earlier gateway: the transcript knows whether it was answered.
            Some(_) | None => {
                let place = self.lanes.place(&params.session_key)?;
                let incoming = Incoming {
                    text: params.message,
                    key: key.clone(),
                    from: None,
                    session: params.session_key,
                };
                let run_id = self.start_turn(place, incoming, false)?;
                self.keys.remember(&key, asked, Some(&run_id), None);
                run_id
            }
        };
        drop(accepting);
        self.wait(&run_id, params.timeout_ms.map(Duration::from_millis)).await
    }

    /// Waits for a run that was started before.
    pub(crate) async fn wait(&self, run_id: &str, timeout: Option<Duration>) -> anyhow::Result<Value> {
        let run = self.runs.get(run_id).ok_or_else(|| unknown_run(run_id))?;
        let ended = match timeout {
            Some(timeout) => tokio::time::timeout(timeout, run.ended()).await.ok().flatten(),
            None => run.ended().await,
        };
        let mut answer = json!({"runId": run_id, "sessionKey": run.session, "ended": ended.is_some(), "outcome": null, "reply": null, "error": null});
        if let Some(end) = ended {
            answer["outcome"] = json!(end.word);
            match &end.outcome {
                Ok(text) => answer["reply"] = json!(text),
                Err(wire) => answer["error"] = serde_json::to_value(wire)?,
            }
        }
        Ok(answer)
    }

    /// Asks a run to end; it releases its lock within moments.
    pub(crate) fn abort(&self, run_id: &str) -> anyhow::Result<Value> {
        let run = self.runs.get(run_id).ok_or_else(|| unknown_run(run_id))?;
        run.cancel(Cancelled::User);
        Ok(json!({"runId": run_id, "aborted": true}))
    }

    pub(super) fn start_turn(
        self: &Arc<Self>,
        place: Place,
        incoming: Incoming,
        nested: bool,
    ) -> anyhow::Result<String> {
        let run_id = ulid::Ulid::generate().to_string();
        self.begin(place, incoming, nested, &run_id, None, None)?;
        Ok(run_id)
    }

    /// A turn by which a promise is kept. The promise is given when it is written down; when it cannot be, nothing was
    /// accepted and no turn begins.
    pub(super) fn start_promised(
        self: &Arc<Self>,
        place: Place,
        incoming: Incoming,
        nested: bool,
        run_id: &str,
        promise: Event,
    ) -> anyhow::Result<()> {
        self.begin(place, incoming, nested, run_id, None, Some(promise)).map(drop)
    }

    /// A turn that must have its session's turn by `by`; it may take as long as any other then.
    pub(super) fn start_turn_by(
        self: &Arc<Self>,
        place: Place,
        incoming: Incoming,
        by: Instant,
    ) -> anyhow::Result<Run> {
        self.begin(place, incoming, false, &ulid::Ulid::generate().to_string(), Some(by), None)
    }

    /// Whether anything is accepted at all.
    pub(super) fn check_open(&self) -> Result<(), Failure> {
        if *self.stop.borrow() {
            let message = "the gateway is shutting down; nothing was accepted";
            return Err(Failure::new(Exit::Unavailable, Cancelled::Shutdown, message));
        }
        Ok(())
    }

    fn begin(
        self: &Arc<Self>,
        place: Place,
        incoming: Incoming,
        nested: bool,
        run_id: &str,
        by: Option<Instant>,
        promise: Option<Event>,
    ) -> anyhow::Result<Run> {
        self.check_open()?;
        self.events.write(Event::RunAccepted {
            run_id: run_id.to_owned(),
            session_key: incoming.session.clone(),
            message_key: incoming.key.clone(),
            recovered: true,
        })?;
        if let Some(Err(error)) = promise.map(|promise| self.events.write(promise)) {
            let error = anyhow::Error::from(error);
            self.events.note(Event::RunEnded {
                run_id: run_id.to_owned(),
                outcome: "failed".to_owned(),
                code: Some(exit::wire(&error).code.to_string()),
            });
            return Err(error);
        }
        let run = self.runs.begin(run_id, &incoming.session);
        let (engine, run_id, taken) = (Arc::clone(self), run_id.to_owned(), run.clone());
        self.tasks.run(async move {
            let ending = Ending { engine: &engine, run_id: &run_id, run: &taken, key: &incoming.key };
            let end = engine.take_turn(place, &incoming, nested, &run_id, &taken, by).await;
            ending.write_down(end);
        });
        Ok(run)
    }

    async fn take_turn(
        self: &Arc<Self>,
        place: Place,
        incoming: &Incoming,
        nested: bool,
        run_id: &str,
        run: &Run,
        by: Option<Instant>,
    ) -> TurnEnd {
        let deadline = tokio::time::Instant::now() + self.limits.longest_turn();
        let by = by.map_or(deadline, |by| deadline.min(by.into()));
        let mut cancelled = run.cancelled();
        let turn = tokio::select! {
            turn = place.turn(nested, Some(by)) => turn,
            why = told(&mut cancelled) => {
                return TurnEnd::cancelled(Wire::new(why, "the run was cancelled before its turn came"));
            }
        };
        let _turn = match turn {
            Ok(turn) => turn,
            Err(busy) => return TurnEnd::failed(exit::wire(&busy.into())),
        };
        let _active = self.runs.enter(run);
        let tools = GatewayTools::new(self, incoming);
        let inbox = Some(run.inbox.clone());
        let mut end =
            self.turns.take(incoming, run_id, Arc::new(tools), deadline, run.cancelled(), inbox).await;
        run.inbox.close();
        // However the turn ended: what is in the transcript was delivered.
        end.delivered |= run.inbox.has(&incoming.key);
        end
    }
}

/// A run that has not ended. A panic in its turn ends it, too, or everybody who waits for it would wait for ever. One that is
/// dropped otherwise was cut off with the gateway: the next one writes it down as interrupted.
struct Ending<'a> {
    engine: &'a Engine,
    run_id: &'a str,
    run: &'a Run,
    key: &'a str,
}

impl Ending<'_> {
    fn write_down(&self, end: TurnEnd) {
        self.engine.events.note(Event::RunEnded {
            run_id: self.run_id.to_owned(),
            outcome: end.word.to_owned(),
            code: end.outcome.as_ref().err().map(|wire| wire.code.to_string()),
        });
        self.engine.runs.end(self.run_id, end);
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = "the turn broke off: a defect of the program; its log has more, please report it";
            let delivered = self.run.inbox.has(self.key);
            self.write_down(TurnEnd { delivered, ..TurnEnd::failed(Wire::new(Local::Bug, said)) });
        }
    }
}

fn unknown_run(run_id: &str) -> Failure {
    let shown: String = run_id.chars().take(64).collect();
    Failure::new(
        Exit::BadInput,
        moorline_taxonomy::Request::Format,
        format!("no run {shown:?} is known here"),
    )
}

#[cfg(test)]
mod tests {
    use moorline_runner::{Model, ModelError, ModelReply, ModelRequest, StreamSink};

    use super::*;
    use crate::{
        model::{Models, script::Script},
        settings,
        state_dir::StateDir,
    };

    struct Defect;

    #[async_trait::async_trait]
    impl Model for Defect {
        async fn call(
            &self,
            _request: &ModelRequest,
            _sink: &mut dyn StreamSink,
        ) -> Result<ModelReply, ModelError> {
            panic!("a defect in a turn")
        }
    }

    #[tokio::test]
    async fn a_panic_ends_the_run_and_lets_its_session_go() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let settings = settings::load(&state, moorline_lock_core::OnStale::Report).unwrap();
        let models = Models { model: Arc::new(Defect), ..Models::scripted(Script::built_in().unwrap()) };
        let engine = Engine::start(state, models, &settings).await.unwrap();
        let asked = |key: &str| AgentParams {
            session_key: "agent:main:desk".parse().unwrap(),
            message: "hello".to_owned(),
            timeout_ms: Some(20_000),
            idempotency_key: Some(key.to_owned()),
        };
        // The second one shows that the session's lane and lock are free.
        for key in ["first", "second"] {
            let answer = engine.agent(asked(key)).await.unwrap();
            assert_eq!(
                (&answer["outcome"], &answer["error"]["code"]),
                (&json!("failed"), &json!("local.bug"))
            );
            let run = engine.runs.get(answer["runId"].as_str().unwrap()).unwrap();
            assert!(run.ended().await.unwrap().delivered, "its message is in the transcript");
        }
        engine.shut_down().await;
        let files = crate::events::files(&dir.path().join("events")).unwrap();
        let lines = files.iter().flat_map(|file| file.read().unwrap().lines);
        let ended = lines.filter(
            |line| matches!(&line.event, Event::RunEnded { code: Some(code), .. } if code == "local.bug"),
        );
        assert_eq!(ended.count(), 2);
    }
}
