//! The client side, for the command line and the demo.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use jsonrpsee_core::{
    client::{ClientT, Error as ClientError},
    traits::ToRpcParams,
};
use jsonrpsee_http_client::{HeaderMap, HttpClient, HttpClientBuilder, RpcLogger, RpcService};
use moorline_taxonomy::{Coordination, Effect, Local, RemoteError, Wire};
use serde_json::{Value, value::RawValue};

use super::refused::{Tell, Telling};
use crate::{
    exit::{Exit, Failure},
    state_dir::StateDir,
};

/// The longest any call may take.
const LONGEST: Duration = Duration::from_secs(600);
/// How long a call may take beyond the wait that it asks the gateway for. A gateway that is stopped is noticed by it.
const BEYOND: Duration = Duration::from_secs(30);

/// JSON-RPC's own code for it.
const NO_SUCH_METHOD: i32 = -32601;

/// A connection to the gateway of a state directory. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Client {
    http: Arc<HttpClient<RpcLogger<RpcService<Telling>>>>,
    address: String,
    /// Where the token came from, if it is known.
    token_file: Option<PathBuf>,
}

/// Parameters that are a JSON object already.
struct ByName(Value);

impl ToRpcParams for ByName {
    fn to_rpc_params(self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
        Ok(Some(RawValue::from_string(self.0.to_string())?))
    }
}

impl Client {
    pub(crate) fn connect(state: &StateDir) -> anyhow::Result<Self> {
        let mut client = Self::at(&state.listening()?.address, &state.token()?)?;
        client.token_file = Some(state.root().join("token"));
        Ok(client)
    }

    /// A connection to a gateway at an address.
    pub(crate) fn at(address: &str, token: &str) -> anyhow::Result<Self> {
        let mut headers = HeaderMap::new();
        let token = format!("Bearer {token}");
        let mut value: jsonrpsee_http_client::HeaderValue =
            token.parse().context("the token holds characters that no header may have")?;
        // Kept out of every debug output.
        value.set_sensitive(true);
        headers.insert("authorization", value);
        let http = HttpClientBuilder::default()
            .set_headers(headers)
            .set_http_middleware(tower::ServiceBuilder::new().layer(Tell))
            .request_timeout(LONGEST)
            .build(format!("http://{address}"))
            .context("the gateway's address is not usable")?;
        Ok(Self { http: Arc::new(http), address: address.to_owned(), token_file: None })
    }

    /// Calls a method. An error of the gateway comes back with its wire form.
    pub(crate) async fn call(&self, method: &str, params: Value) -> anyhow::Result<Value> {
        let patience = patience(method, &params);
        let has_key = params.get("idempotencyKey").is_some();
        let request = self.http.request::<Value, _>(method, ByName(params));
        let answered = tokio::time::timeout(patience, request).await;
        match answered.unwrap_or(Err(ClientError::RequestTimeout)) {
            Ok(value) => Ok(value),
            Err(ClientError::Call(error)) => {
                let wire = error.data().and_then(|data| serde_json::from_str::<Wire>(data.get()).ok());
                match wire {
                    // A method that does not exist is a mistake on the command line.
                    Some(_) if error.code() == NO_SUCH_METHOD => Err(Failure::new(
                        Exit::Usage,
                        Local::Config,
                        format!("the gateway has no method {method}; `rpc.discover` lists them"),
                    )
                    .into()),
                    Some(wire) => Err(RemoteError::from(wire).into()),
                    None => Err(Failure::new(
                        Exit::Usage,
                        Local::Config,
                        format!("the gateway refused {method}: {}", error.message()),
                    )
                    .into()),
                }
            }
            Err(ClientError::RequestTimeout) => Err(Failure::new(
                Exit::Unavailable,
                Coordination::LaneTimeout,
                "the gateway did not answer in time",
            )
            .into()),
            Err(error) => Err(self.unanswered(&error, has_key)),
        }
    }

    /// The gateway refused the call before any method, or there is none, or it is gone.
    fn unanswered(&self, error: &ClientError, has_key: bool) -> anyhow::Error {
        if let Some(refused) = causes(error).find_map(|cause| cause.downcast_ref::<RemoteError>()) {
            let refused = RemoteError::from(refused.wire().clone());
            let permission = refused.wire().code.known() == Some(Local::Permission.into());
            return match &self.token_file {
                Some(file) if permission => anyhow::Error::new(refused).context(format!(
                    "the gateway at {} does not admit this call with the token in {}: is it another gateway, or was the token replaced while it ran?",
                    self.address,
                    file.display()
                )),
                Some(_) | None => refused.into(),
            };
        }
        // Refused before it was sent, or cut off after: then it may have been accepted.
        let (effect, advice) = match (was_refused(error), has_key) {
            (true, _) => (Effect::None, ""),
            (false, true) => (
                Effect::Possible,
                "; the call may have been accepted, and the same idempotencyKey asks for it again without doing it twice",
            ),
            (false, false) => (
                Effect::Possible,
                "; the call may have been accepted: look before you repeat it, and give the next one an idempotencyKey",
            ),
        };
        let message = format!("no gateway answers at {}: {error}{advice}", self.address);
        Failure::new(Exit::Unavailable, Local::Unclassified, message).with_effect(effect).into()
    }
}

/// How long an answer may take: what the caller asks the gateway to wait, and a while more. A turn without a stated wait
/// takes as long as it takes.
fn patience(method: &str, params: &Value) -> Duration {
    let stated = params.get("timeoutMs").and_then(Value::as_u64).map(Duration::from_millis);
    let asked = match (stated, method) {
        (Some(stated), _) => stated,
        (None, "agent" | "agent.wait") => LONGEST,
        (None, "sessions.send") => BEYOND,
        (None, _) => Duration::ZERO,
    };
    asked.saturating_add(BEYOND).min(LONGEST)
}

/// Whether the connection was refused, so that nothing was sent.
fn was_refused(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut io = causes(error).filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.any(|io| io.kind() == std::io::ErrorKind::ConnectionRefused)
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}
