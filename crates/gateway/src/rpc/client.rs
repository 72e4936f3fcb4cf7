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

/// A caller's own patience bounds every call; this bounds a call without one.
const TIMEOUT: Duration = Duration::from_secs(600);

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
        let listening = state.listening()?;
        let mut headers = HeaderMap::new();
        let token = format!("Bearer {}", state.token()?);
        let mut value: jsonrpsee_http_client::HeaderValue =
            token.parse().context("the token holds characters that no header may have")?;
        // Kept out of every debug output.
        value.set_sensitive(true);
        headers.insert("authorization", value);
        let http = HttpClientBuilder::default()
            .set_headers(headers)
            .request_timeout(TIMEOUT)
            .build(format!("http://{}", listening.address))
            .context("the gateway's address is not usable")?;
        Ok(Self { http: Arc::new(http), address: listening.address })
    }

    /// Calls a method. An error of the gateway comes back with its wire form.
    pub(crate) async fn call(&self, method: &str, params: Value) -> anyhow::Result<Value> {
        match self.http.request::<Value, _>(method, ByName(params)).await {
            Ok(value) => Ok(value),
            Err(ClientError::Call(error)) => {
                let wire = error.data().and_then(|data| serde_json::from_str::<Wire>(data.get()).ok());
                match wire {
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
