//! The client side, for the command line and the demo.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use jsonrpsee_core::{
    client::{ClientT, Error as ClientError},
    traits::ToRpcParams,
};
use jsonrpsee_http_client::{HeaderMap, HttpClient, HttpClientBuilder};
use moorline_taxonomy::{Coordination, Effect, Local, RemoteError, Wire};
use serde_json::{Value, value::RawValue};

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
    http: Arc<HttpClient>,
    address: String,
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
        Self::at(&state.listening()?.address, &state.token()?)
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
            .request_timeout(LONGEST)
            .build(format!("http://{address}"))
            .context("the gateway's address is not usable")?;
        Ok(Self { http: Arc::new(http), address: address.to_owned() })
    }

    /// Calls a method. An error of the gateway comes back with its wire form.
    pub(crate) async fn call(&self, method: &str, params: Value) -> anyhow::Result<Value> {
        let patience = patience(method, &params);
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
            Err(error) => {
                let message = format!("no gateway answers at {}: {error}", self.address);
                // Refused before it was sent, or cut off after: then it may have been accepted.
                let effect = if was_refused(&error) { Effect::None } else { Effect::Possible };
                let failure =
                    Failure::new(Exit::Unavailable, Local::Unclassified, message).with_effect(effect);
                Err(failure.into())
            }
        }
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
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::ConnectionRefused
        {
            return true;
        }
        next = error.source();
    }
    false
}
