//! Two calls of the `cachedContents` interface (<https://ai.google.dev/api/caching>).
//!
//! What must stay true: a call ends within [`LONGEST`]; an answer above [`MOST`] is not read; the key is in no error and no
//! log; the environment is not asked for a proxy.

use std::{error::Error, fmt, time::Duration};

use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::entry::is_name;

/// A cache is a saving: it must not cost more than a moment.
const LONGEST: Duration = Duration::from_secs(10);
/// Answers are a name and a time.
const MOST: usize = 1024 * 1024;

/// A handle as the provider gives it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Handle {
    #[serde(default)]
    pub(super) name: String,
    pub(super) expire_time: Option<String>,
}

/// Why the provider gave none.
#[derive(Debug)]
pub(super) enum Refused {
    Status(StatusCode),
    /// Too long, not JSON, or without a name that can be used.
    Answer,
    Transport(reqwest::Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "the cache endpoint answered {}", status.as_u16()),
            Self::Answer => f.write_str("the cache endpoint's answer could not be used"),
            Self::Transport(_) => f.write_str("the cache endpoint could not be reached"),
        }
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Transport(error) => Some(error),
            Self::Status(_) | Self::Answer => None,
        }
    }
}

pub(super) struct Endpoint {
    client: Client,
    base_url: String,
    api_key: String,
}

impl Endpoint {
    pub(super) fn new(base_url: &str, api_key: &str) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .timeout(LONGEST)
            .redirect(reqwest::redirect::Policy::none())
            // Without this the client would read proxy settings from the environment.
            .no_proxy()
            .build()?;
        Ok(Self { client, base_url: base_url.trim_end_matches('/').to_owned(), api_key: api_key.to_owned() })
    }

    pub(super) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Puts a prompt and its tools into a cache.
    pub(super) async fn create(
        &self,
        model: &str,
        ttl: Duration,
        system: &str,
        tools: Option<Value>,
    ) -> Result<Handle, Refused> {
        let model = if model.starts_with("models/") { model.to_owned() } else { format!("models/{model}") };
        let mut body = json!({
            "model": model,
            "ttl": format!("{}s", ttl.as_secs()),
            "systemInstruction": {"parts": [{"text": system}]},
        });
        if let Some(tools) = tools {
            body["tools"] = tools;
        }
        let handle = self.send(self.client.post(format!("{}/cachedContents", self.base_url)), &body).await?;
        if is_name(&handle.name) { Ok(handle) } else { Err(Refused::Answer) }
    }

    /// Lets a cache live for another `ttl`.
    pub(super) async fn refresh(&self, name: &str, ttl: Duration) -> Result<Handle, Refused> {
        let body = json!({"ttl": format!("{}s", ttl.as_secs())});
        self.send(self.client.patch(format!("{}/{name}?updateMask=ttl", self.base_url)), &body).await
    }

    async fn send(&self, request: RequestBuilder, body: &Value) -> Result<Handle, Refused> {
        let request = request
            .header("x-goog-api-key", &self.api_key)
            .header("content-type", "application/json")
            .body(body.to_string());
        // The URL says where a call went; that is configuration, and errors are logged.
        let transport = |error: reqwest::Error| Refused::Transport(error.without_url());
        let mut response = request.send().await.map_err(transport)?;
        if !response.status().is_success() {
            return Err(Refused::Status(response.status()));
        }
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if answer.len() + chunk.len() > MOST {
                return Err(Refused::Answer);
            }
            answer.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&answer).map_err(|_| Refused::Answer)
    }
}
