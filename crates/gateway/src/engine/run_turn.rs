//! Turns of the gateway: from an accepted message to the one end of its run.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moorline_taxonomy::{Cancelled, Effect, Local, Wire};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Engine, Incoming, TurnEnd,
    keys::Asked,
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

/// A turn that is to begin.
pub(super) struct Start {
    pub(super) place: Place,
    pub(super) incoming: Incoming,
    pub(super) run_id: String,
    /// Whose child it is.
    pub(super) parent: Option<SessionKey>,
    /// A tool of another turn waits for it.
    pub(super) nested: bool,
    /// When it must have its session's turn; it may take as long as any other then.
    pub(super) by: Option<Instant>,
    /// What it keeps. The promise is given when it is written down; when it cannot be, nothing was accepted and no turn
    /// begins.
    pub(super) promise: Option<Event>,
}

impl Start {
    /// A turn that nobody is promised, under a run id of its own.
    pub(super) fn new(place: Place, incoming: Incoming) -> Self {
        let run_id = ulid::Ulid::generate().to_string();
        Self { place, incoming, run_id, parent: None, nested: false, by: None, promise: None }
    }
}

impl Engine {
    /// A turn of a session, asked for by a user. Waits as long as the caller does; without a timeout until the end.
    pub(crate) async fn agent(self: &Arc<Self>, params: AgentParams) -> anyhow::Result<Value> {
        check_message(&params.message)?;
        check_key(params.idempotency_key.as_deref())?;
        let given = params.idempotency_key.is_some();
        let key = params.idempotency_key.unwrap_or_else(|| ulid::Ulid::generate().to_string());
        let asked = Asked::message(None, &params.session_key, &params.message);
        let accepting = self.keys.accepting();
        let known = self.keys.find(&key, &asked)?;
        let run = match known.and_then(|known| self.runs.get(&known.run_id?)) {
            Some(run) => run,
            // New, or ended long ago or in an earlier gateway: the transcript knows whether it was answered.
            None => {
                let place = self.lanes.place(&params.session_key)?;
                let incoming = Incoming {
                    text: params.message,
                    key: key.clone(),
                    from: None,
                    session: params.session_key,
                };
                let run = self.begin(Start::new(place, incoming))?;
                if given {
                    self.keys.remember(&key, asked, Some(&run.id), None);
                }
                run
            }
        };
        drop(accepting);
        outcome(&run, params.timeout_ms.map(Duration::from_millis)).await
    }

    /// Waits for a run that was started before.
    pub(crate) async fn wait(&self, run_id: &str, timeout: Option<Duration>) -> anyhow::Result<Value> {
        outcome(&self.runs.get(run_id).ok_or_else(|| unknown_run(run_id))?, timeout).await
    }

    /// Asks a run to end; it releases its lock within moments.
    pub(crate) fn abort(&self, run_id: &str) -> anyhow::Result<Value> {
        let run = self.runs.get(run_id).ok_or_else(|| unknown_run(run_id))?;
        run.cancel(Cancelled::User);
        Ok(json!({"runId": run_id, "aborted": true}))
    }

    /// Whether anything is accepted at all.
    pub(super) fn check_open(&self) -> Result<(), Failure> {
        if *self.stop.borrow() {
            let message = "the gateway is shutting down; nothing was accepted";
            return Err(Failure::new(Exit::Unavailable, Cancelled::Shutdown, message));
        }
        Ok(())
    }

    /// Begins a turn.
    pub(super) fn begin(self: &Arc<Self>, mut start: Start) -> anyhow::Result<Run> {
        self.check_open()?;
        self.events.write(Event::RunAccepted {
            run_id: start.run_id.clone(),
            session_key: start.incoming.session.clone(),
            message_key: start.incoming.key.clone(),
            recovered: true,
        })?;
        if let Some(Err(error)) = start.promise.take().map(|promise| self.events.write(promise)) {
            let error = anyhow::Error::from(error);
            self.events.note(Event::RunEnded {
                run_id: start.run_id,
                outcome: "failed".to_owned(),
                code: Some(exit::wire(&error).code.to_string()),
            });
            return Err(error);
        }
        let run = self.runs.begin(&start.run_id, &start.incoming.session, start.parent.as_ref());
        let (engine, taken) = (Arc::clone(self), run.clone());
        self.tasks.run(async move {
            let key = start.incoming.key.clone();
            let ending = Ending { engine: &engine, run: &taken, key: &key };
            let end = engine.take_turn(start, &taken).await;
            ending.write_down(end);
        });
        Ok(run)
    }

    async fn take_turn(self: &Arc<Self>, start: Start, run: &Run) -> TurnEnd {
        let Start { place, incoming, run_id, nested, by, parent: _, promise: _ } = start;
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
        let tools = GatewayTools::new(self, &incoming);
        let inbox = Some(run.inbox.clone());
        self.turns.take(&incoming, &run_id, Arc::new(tools), deadline, run.cancelled(), inbox).await
    }
}

/// A run that has not ended. A panic in its turn ends it, too, or everybody who waits for it would wait for ever. One that is
/// dropped otherwise was cut off with the gateway: the next one writes it down as interrupted.
struct Ending<'a> {
    engine: &'a Engine,
    run: &'a Run,
    key: &'a str,
}

impl Ending<'_> {
    fn write_down(&self, mut end: TurnEnd) {
        self.run.inbox.close();
        // However the turn ended: what is in the transcript was delivered, and whoever asks again has to know.
        end.delivered |= self.run.inbox.has(self.key);
        if let (true, Err(wire)) = (end.delivered, &mut end.outcome) {
            wire.effect = Effect::Done;
        }
        self.engine.events.note(Event::RunEnded {
            run_id: self.run.id.to_string(),
            outcome: end.word.to_owned(),
            code: end.outcome.as_ref().err().map(|wire| wire.code.to_string()),
        });
        self.engine.runs.end(&self.run.id, end);
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = "the turn broke off: a defect of the program; its log has more, please report it";
            self.write_down(TurnEnd::failed(Wire::new(Local::Bug, said)));
        }
    }
}

/// Waits for the end of a run, as long as the caller does, and says how it ended.
async fn outcome(run: &Run, timeout: Option<Duration>) -> anyhow::Result<Value> {
    let ended = match timeout {
        Some(timeout) => tokio::time::timeout(timeout, run.ended()).await.ok().flatten(),
        None => run.ended().await,
    };
    let mut answer = json!({"runId": &*run.id, "sessionKey": run.session, "ended": ended.is_some(), "outcome": null, "reply": null, "error": null});
    if let Some(end) = ended {
        answer["outcome"] = json!(end.word);
        match &end.outcome {
            Ok(text) => answer["reply"] = json!(text),
            Err(wire) => answer["error"] = serde_json::to_value(wire)?,
        }
    }
    Ok(answer)
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
