//! The session tools as an MCP server, so that any agent can use them: over standard input and output (`moorline mcp`),
//! and over streamable HTTP behind the gateway's door.
//!
//! Tools, descriptions and schemas are the ones a model of the gateway sees (`engine/tools.rs`); MCP adds what a caller
//! outside has to say for himself: whom he speaks for, and an idempotency key. What a tool refuses is a tool result with
//! `isError` and the wire form, which the agent can read; a protocol error would be shown to nobody.

mod arguments;
mod gateway;
mod http;
mod server;
mod stdio;

pub(crate) use http::Http;
pub(crate) use stdio::serve;
