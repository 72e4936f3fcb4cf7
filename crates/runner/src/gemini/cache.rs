//! The prompt cache of a Gemini-compatible provider.
//!
//! | latest entry for the same provider, model, base URL, prompt and tools | done |
//! |---|---|
//! | none, or ended | a cache is created and its handle stored |
//! | ready | used |
//! | ready, in its refresh window | refreshed, stored, used; used as it is when refreshing fails |
//! | failed less than ten minutes ago | the prompt is sent as it is |
//!
//! A handle that could not be stored is used all the same. That this run may not write any more is not ours to ignore: that
//! error goes up, and the runner's policy decides.

use std::{fmt, time::SystemTime};

use async_trait::async_trait;
use jiff::Timestamp;
use moorline_taxonomy::Local;

use super::{
    entry::{BACK_OFF, Key, Plan, Retention, State, Stored, plan, tools},
    http::Endpoint,
};
use crate::{CacheError, CacheLedger, ModelRequest, PromptCache, clock};

const CUSTOM_TYPE: &str = "moorline.prompt-cache";

/// Keeps system prompts and tools in a provider's `cachedContents`.
pub struct GeminiCache {
    endpoint: Endpoint,
    retention: Retention,
    providers: Vec<String>,
}

impl GeminiCache {
    /// Caches at `base_url` (`https://generativelanguage.googleapis.com/v1beta`, say) with this API key, for candidates of the
    /// providers `google` and `gemini`.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(base_url: &str, api_key: &str, retention: Retention) -> Result<Self, CacheError> {
        let endpoint = Endpoint::new(base_url, api_key).map_err(|error| {
            CacheError::new(Local::Config, format!("the HTTP client could not be made: {error}"))
        })?;
        Ok(Self { endpoint, retention, providers: vec!["google".to_owned(), "gemini".to_owned()] })
    }

    /// The providers whose candidates are asked there, by the names that candidates use.
    #[must_use]
    pub fn for_providers(mut self, providers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.providers = providers.into_iter().map(Into::into).collect();
        self
    }

    async fn refreshed(
        &self,
        key: Key,
        name: String,
        expire_time: String,
        now: u64,
        ledger: &CacheLedger,
    ) -> Result<Option<String>, CacheError> {
        match self.endpoint.refresh(&name, self.retention.ttl()).await {
            Ok(handle) => {
                let expire_time = handle.expire_time.unwrap_or_else(|| self.end(ledger.clock().wall()));
                let state = State::Ready { cached_content: name.clone(), expire_time };
                self.store(key, state, now, ledger).await?;
            }
            Err(error) => tracing::info!(
                error = &error as &dyn std::error::Error,
                until = expire_time,
                "a prompt cache could not be refreshed; it is used until it ends"
            ),
        }
        Ok(Some(name))
    }

    async fn created(
        &self,
        key: Key,
        request: &ModelRequest,
        now: u64,
        ledger: &CacheLedger,
    ) -> Result<Option<String>, CacheError> {
        let made = self
            .endpoint
            .create(&request.candidate.model, self.retention.ttl(), &request.system, tools(&request.tools))
            .await;
        match made {
            Ok(handle) => {
                let name = handle.name;
                let expire_time = handle.expire_time.unwrap_or_else(|| self.end(ledger.clock().wall()));
                let state = State::Ready { cached_content: name.clone(), expire_time };
                self.store(key, state, now, ledger).await?;
                Ok(Some(name))
            }
            Err(error) => {
                tracing::info!(
                    provider = key.provider,
                    model = key.model,
                    error = &error as &dyn std::error::Error,
                    "no prompt cache; the prompt is sent as it is"
                );
                let back_off = u64::try_from(BACK_OFF.as_millis()).unwrap_or(u64::MAX);
                self.store(key, State::Failed { retry_after: now.saturating_add(back_off) }, now, ledger)
                    .await?;
                Ok(None)
            }
        }
    }

    /// Stores an entry. Only errors that the turn must know come back.
    async fn store(&self, key: Key, state: State, now: u64, ledger: &CacheLedger) -> Result<(), CacheError> {
        let stored = Stored { key, timestamp: now, retention: self.retention, state };
        let data = serde_json::to_value(stored).unwrap_or_default();
        match ledger.append(CUSTOM_TYPE, data).await {
            Ok(()) => Ok(()),
            Err(error) if error.must_propagate() => Err(error),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a prompt cache's handle is not stored"
                );
                Ok(())
            }
        }
    }

    /// When a cache made now ends, where the provider does not say.
    fn end(&self, now: SystemTime) -> String {
        Timestamp::try_from(now + self.retention.ttl()).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
    }
}

#[async_trait]
impl PromptCache for GeminiCache {
    async fn prepare(
        &self,
        request: &ModelRequest,
        ledger: &CacheLedger,
    ) -> Result<Option<String>, CacheError> {
        let ours = self.providers.contains(&request.candidate.provider);
        if !ours || request.system.trim().is_empty() {
            return Ok(None);
        }
        let key = Key::of(request, self.endpoint.base_url());
        let now = clock::millis(ledger.clock().wall());
        let read = |data: &serde_json::Value| serde_json::from_value::<Stored>(data.clone()).ok();
        let latest = ledger.latest(CUSTOM_TYPE, |data| read(data).is_some_and(|stored| stored.key == key));
        match plan(latest.as_ref().and_then(read).as_ref(), self.retention, now) {
            Plan::Use { name } => Ok(Some(name)),
            Plan::Refresh { name, expire_time } => self.refreshed(key, name, expire_time, now, ledger).await,
            Plan::Create => self.created(key, request, now, ledger).await,
            Plan::LeaveAlone => Ok(None),
        }
    }
}

impl fmt::Debug for GeminiCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeminiCache").field("base_url", &self.endpoint.base_url()).finish_non_exhaustive()
    }
}
