//! Models of real providers, through one client crate for all of them.
//!
//! The decision: the crate `genai` speaks the wire formats (chat completions, Anthropic, Gemini, Ollama), and everything that
//! decides stays ours: which model, with which key, what a failure means. The option not taken is a client of our own for
//! each format; the formats change monthly, and that is somebody's whole work.
//!
//! What must stay true: no type of the client leaves this folder; its errors print bodies and requests, so they are taken
//! apart (`failure.rs`) and never shown or kept; keys are read once, by name, and are in nothing that can be printed.
//!
//! `request.rs` is from the transcript to the client, `reply.rs` the way back, `failure.rs` the way back of errors.

mod failure;
mod reply;
mod request;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use genai::{
    Client, ModelIden, ServiceTarget,
    adapter::AdapterKind,
    chat::{ChatOptions, ChatStreamEvent},
    resolver::{AuthData, Endpoint},
};
use moorline_failover::{CallError, SqliteStore};
use moorline_runner::{Candidate, Model, ModelError, ModelReply, ModelRequest, StreamSink};
use moorline_taxonomy::{Code, Local, Request};

use super::Models;
use crate::{
    exit::{Exit, Failure},
    settings::{Api, ModelChoice, ProviderChoice},
    state_dir::StateDir,
};
use failure::Asked;

/// A provider that cannot be connected to within this is not there.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A provider's key. It is shown by nothing.
#[derive(Clone, PartialEq, Eq)]
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A configured model, with all that a call needs.
#[derive(Debug)]
struct Configured {
    choice: ModelChoice,
    key: Option<Secret>,
    client: Client,
}

/// The models of the settings, as one model of the runner's.
#[derive(Debug)]
struct Providers {
    models: Vec<Configured>,
}

/// The models of the settings, with their cooldowns in the state directory, so that every process there knows what cools.
pub(super) fn open(
    choices: &[ModelChoice],
    state: &StateDir,
    environment: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Models> {
    let mut models = Vec::with_capacity(choices.len());
    for choice in choices {
        let key = key_of(&choice.provider, &environment)?;
        let client = client_of(&choice.provider)?;
        models.push(Configured { choice: choice.clone(), key, client });
    }
    let candidates = choices.iter().map(candidate_of).collect();
    // The file is made first: SQLite would make it readable by others.
    let path = state.cooldowns()?;
    let cooldowns = SqliteStore::open(&path).map_err(|error| {
        if error.code() != Code::Local(Local::Unclassified) {
            return error.into();
        }
        let error = anyhow::Error::from(error);
        let says = error.root_cause();
        let message = format!(
            "{} cannot be read: {says}; remove it: only which models are left alone for a while is forgotten",
            path.display()
        );
        anyhow::Error::from(Failure::new(Exit::BadInput, Request::Format, message))
    })?;
    let cooldowns = Arc::new(cooldowns);
    Ok(Models { model: Arc::new(Providers { models }), candidates, cooldowns })
}

/// The candidate that failover keeps: its credential is the *name* of the key.
fn candidate_of(choice: &ModelChoice) -> Candidate {
    Candidate {
        credential: choice.provider.key_env.clone(),
        window: choice.window,
        ..Candidate::new(&choice.provider.name, &choice.model)
    }
}

fn key_of(
    provider: &ProviderChoice,
    environment: &impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Option<Secret>> {
    let Some(name) = &provider.key_env else { return Ok(None) };
    let wrong = |problem: &str| {
        let message = format!("the provider {} needs a key, and {name} {problem}", provider.name);
        Failure::new(Exit::Config, Local::Config, message)
    };
    let key = environment(name).ok_or_else(|| wrong("is not set in the environment"))?;
    let key = key.trim();
    if key.is_empty() || key.chars().any(|c| c.is_control() || !c.is_ascii()) {
        return Err(wrong("holds something that cannot be a key").into());
    }
    Ok(Some(Secret(key.to_owned())))
}

fn client_of(provider: &ProviderChoice) -> anyhow::Result<Client> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("moorline/", env!("CARGO_PKG_VERSION")))
        .timeout(Duration::from_millis(provider.timeout_ms))
        .connect_timeout(CONNECT_WITHIN)
        // A redirect would carry the key to an address that nobody configured.
        .redirect(reqwest::redirect::Policy::none());
    // A server on this machine is not behind the proxy of the environment.
    let builder = if is_local(&provider.endpoint) { builder.no_proxy() } else { builder };
    let built = builder.build().map(|client| Client::builder().with_reqwest(client));
    let unusable = |_| {
        let message = format!("the HTTP client for the provider {} cannot be made", provider.name);
        Failure::new(Exit::Config, Local::Config, message)
    };
    Ok(built.map_err(unusable)?.build().map_err(|error| failure::of_client(&error))?)
}

fn is_local(endpoint: &str) -> bool {
    let host = endpoint.split("//").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    ["localhost", "127.", "[::1]"].iter().any(|local| host.starts_with(local))
}

impl Configured {
    fn target(&self) -> ServiceTarget {
        let provider = &self.choice.provider;
        let kind = match provider.api {
            Api::OpenAi => AdapterKind::OpenAI,
            Api::Anthropic => AdapterKind::Anthropic,
            Api::Gemini => AdapterKind::Gemini,
            // Ollama itself asks for no key; one behind a door that does is the same format with a bearer.
            Api::Ollama if self.key.is_none() => AdapterKind::Ollama,
            Api::Ollama => AdapterKind::OllamaCloud,
        };
        // The client insists on a key where the format has one; a server that wants none ignores it.
        let key = self.key.as_ref().map_or("none", |key| key.0.as_str());
        ServiceTarget {
            endpoint: Endpoint::from_owned(provider.endpoint.as_str()),
            auth: AuthData::from_single(key),
            model: ModelIden::new(kind, self.choice.model.as_str()),
        }
    }

    async fn whole(&self, request: &ModelRequest, asked: &Asked<'_>) -> Result<ModelReply, CallError> {
        let (chat, options) = request::chat(request, self.choice.provider.api);
        let options = options.with_capture_raw_body(true);
        let answered = self.client.exec_chat(self.target(), chat, Some(&options)).await;
        let response = answered.map_err(|error| asked.failed(error))?;
        reply::of_response(response, asked)
    }

    async fn streamed(
        &self,
        request: &ModelRequest,
        asked: &Asked<'_>,
        sink: &mut dyn StreamSink,
    ) -> Result<ModelReply, CallError> {
        let (chat, options) = request::chat(request, self.choice.provider.api);
        let options: ChatOptions =
            options.with_capture_usage(true).with_capture_content(true).with_capture_tool_calls(true);
        let answered = self.client.exec_chat_stream(self.target(), chat, Some(&options)).await;
        let mut events = answered.map_err(|error| asked.failed(error))?.stream;
        while let Some(event) = events.next().await {
            match event.map_err(|error| asked.failed(error))? {
                ChatStreamEvent::Chunk(chunk) => sink.text(&chunk.content),
                ChatStreamEvent::End(end) => return reply::of_end(end, self.choice.provider.api, asked),
                ChatStreamEvent::Start
                | ChatStreamEvent::ReasoningChunk(_)
                | ChatStreamEvent::ThoughtSignatureChunk(_)
                | ChatStreamEvent::ToolCallChunk(_)
                | ChatStreamEvent::Heartbeat => {}
            }
        }
        // Every format says when it is done; a stream that just ends was cut.
        Err(asked.broken())
    }
}

#[async_trait]
impl Model for Providers {
    async fn call(
        &self,
        request: &ModelRequest,
        sink: &mut dyn StreamSink,
    ) -> Result<ModelReply, ModelError> {
        let Candidate { provider, model, .. } = &request.candidate;
        let configured = self
            .models
            .iter()
            .find(|one| one.choice.provider.name == *provider && one.choice.model == *model)
            .ok_or_else(|| ModelError::new(Local::Bug, "a model was asked that is not configured"))?;
        let key = configured.key.as_ref().map(|key| key.0.as_str());
        let asked = Asked { provider: &configured.choice.provider.name, key, request };
        let answered = if configured.choice.stream {
            configured.streamed(request, &asked, sink).await
        } else {
            configured.whole(request, &asked).await
        };
        Ok(answered?)
    }
}
