//! Real HTTP on loopback: small servers that answer in the documented shapes of the four formats and keep what they were
//! asked. They wait for events, not for time; the one that never answers is ended by the provider's own timeout.

mod failures;
mod formats;
mod server;
mod streams;

use std::sync::Arc;

use moorline_runner::{
    Candidate, Message, ModelError, ModelReply, ModelRequest, StreamSink, ToolCall, ToolSpec,
};
use serde_json::{Value, json};

use super::{super::Models, open};
use crate::{
    settings::{Api, ModelChoice, ProviderChoice},
    state_dir::StateDir,
};
use server::{Answer, Server};

/// What must be nowhere but in a header.
const KEY: &str = "key-7f3a9c51d2e84b60a1f5";
/// What must be nowhere but in a request.
const PROMPT: &str = "the walrus sings at four in the morning";

#[derive(Default)]
struct Heard(Vec<String>);

impl StreamSink for Heard {
    fn text(&mut self, delta: &str) {
        self.0.push(delta.to_owned());
    }
}

fn choice(api: Api, server: &Server, model: &str) -> ModelChoice {
    let provider = ProviderChoice {
        name: api.as_str().to_owned(),
        api,
        endpoint: server.endpoint(),
        key_env: Some("TEST_KEY".to_owned()),
        timeout_ms: 20_000,
    };
    ModelChoice { provider: Arc::new(provider), model: model.to_owned(), window: None, stream: false }
}

/// The models, with a state directory that lives as long as they are used.
fn models(choices: &[ModelChoice]) -> (Models, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).unwrap();
    let environment = |name: &str| (name == "TEST_KEY").then(|| KEY.to_owned());
    (open(choices, &state, environment).unwrap(), dir)
}

fn request(choice: &ModelChoice, messages: Vec<Message>) -> ModelRequest {
    ModelRequest {
        system: "You are main.".to_owned(),
        messages,
        tools: vec![ToolSpec {
            name: "sessions_send".to_owned(),
            description: "Send a message.".to_owned(),
            parameters: json!({"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}),
        }],
        candidate: Candidate::new(&choice.provider.name, &choice.model),
        run_id: "run-1".to_owned(),
        cached_content: None,
    }
}

fn said() -> Vec<Message> {
    vec![Message::User { text: PROMPT.to_owned(), raw: Value::Null }]
}

fn call(id: &str, to: &str) -> ToolCall {
    ToolCall { id: id.to_owned(), name: "sessions_send".to_owned(), arguments: json!({"to": to}) }
}

async fn ask(choice: &ModelChoice, messages: Vec<Message>) -> (Result<ModelReply, ModelError>, Vec<String>) {
    let (models, _dir) = models(std::slice::from_ref(choice));
    let mut heard = Heard::default();
    let answered = models.model.call(&request(choice, messages), &mut heard).await;
    (answered, heard.0)
}

/// One call against one answer.
async fn answered(api: Api, answer: Answer) -> Result<ModelReply, ModelError> {
    let server = Server::start([answer]).await;
    ask(&choice(api, &server, "m"), said()).await.0
}
