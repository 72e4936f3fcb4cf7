//! One MCP connection: lists the tools and calls them.
//!
//! A connection mints an identity, and the id of a request within it is the idempotency key of a caller who gives none: a
//! request that is sent again is the same send. A cancelled request ends the wait and not the send, because the receiver's
//! turn may have begun.

use axum::http::request::Parts;
use moorline_runner::ToolEffect;
use moorline_taxonomy::{Cancelled, Effect, Request};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, JsonObject,
        ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
    },
    service::RequestContext,
};
use serde_json::{Value, json};

use super::{arguments, gateway::Gateway};
use crate::{
    engine::{effect_of, method_of},
    exit::{self, Exit, Failure},
    metrics,
    session_key::SessionKey,
};

/// The header with which an HTTP client says whom it speaks for.
const SESSION_HEADER: &str = "moorline-session";

const INSTRUCTIONS: &str = "\
Sessions of a gateway that can be sent to and spawned. A session key is agent:<agent>:<rest>; sending to a new one creates it. \
sessions_send waits for the reply as long as timeoutMs says and then returns accepted, delivered and replied as separate \
facts: a send that was accepted goes on. sessions_spawn returns at once. An error result carries `code` and `message`; give \
the same idempotencyKey when you try again.";

/// The tools before one client.
pub(super) struct SessionTools {
    gateway: Gateway,
    session: Option<SessionKey>,
    connection: String,
}

impl SessionTools {
    pub(super) fn new(gateway: Gateway, session: Option<SessionKey>) -> Self {
        Self { gateway, session, connection: ulid::Ulid::generate().to_string() }
    }

    /// Whom the caller speaks for: what the command line says, or what the request's header does.
    fn speaks_for(&self, context: &RequestContext<RoleServer>) -> Result<Option<SessionKey>, Failure> {
        let header =
            context.extensions.get::<Parts>().and_then(|request| request.headers.get(SESSION_HEADER));
        match header {
            Some(value) => {
                let text = String::from_utf8_lossy(value.as_bytes());
                let key = text.parse().map_err(|error: Failure| {
                    Failure::new(
                        Exit::BadInput,
                        Request::Format,
                        format!("the header {SESSION_HEADER}: {error}"),
                    )
                })?;
                Ok(Some(key))
            }
            None => Ok(self.session.clone()),
        }
    }

    async fn call(
        &self,
        method: &str,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> anyhow::Result<Value> {
        let session = self.speaks_for(context)?;
        let call_id = format!("mcp/{}/{}", self.connection, json!(context.id));
        let arguments = request.arguments.unwrap_or_default();
        let params = arguments::parameters(&request.name, arguments, session.as_ref(), &call_id)?;
        tokio::select! {
            // Asked first: a call that is cancelled at once was made all the same.
            biased;
            answer = self.gateway.call(method, params) => answer,
            () = context.ct.cancelled() => {
                let message = "the caller does not wait any more; what was accepted goes on";
                let failure = Failure::new(Exit::Unavailable, Cancelled::User, message);
                Err(failure.with_effect(Effect::Possible).into())
            }
        }
    }
}

impl ServerHandler for SessionTools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("moorline", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let session =
            self.speaks_for(&context).map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
        let tools = arguments::tools(session.as_ref()).into_iter().map(|spec| {
            let reads = effect_of(&spec.name) == ToolEffect::None;
            let schema: JsonObject = spec.parameters.as_object().cloned().unwrap_or_default();
            // Nothing here deletes, and a call that is repeated is the same call.
            let hints = ToolAnnotations::new().read_only(reads).destructive(false).open_world(false);
            Tool::new(spec.name, spec.description, schema).with_annotations(hints)
        });
        Ok(ListToolsResult::with_all_items(tools.collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(method) = method_of(&request.name) else {
            let shown: String = request.name.chars().take(64).collect();
            return Err(ErrorData::invalid_params(format!("there is no tool {shown:?}"), None));
        };
        let tool = request.name.clone();
        let called = self.call(method, request, &context).await;
        metrics::tool_called(&tool, called.as_ref().err().map(|error| exit::wire(error).code.to_string()));
        let result = match called {
            Ok(answer) => CallToolResult::structured(answer),
            Err(error) => failed(&error),
        };
        Ok(result.into())
    }
}

/// What the agent reads is a sentence; what a program reads is the wire form.
fn failed(error: &anyhow::Error) -> CallToolResult {
    let wire = exit::wire(error);
    let text = format!("{} ({})", wire.message, wire.code);
    let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
    result.structured_content = serde_json::to_value(&wire).ok();
    result
}
