//! The door of the gateway: JSON-RPC 2.0 over HTTP and WebSocket, and everything else that is served beside it.
//!
//! `server.rs` accepts connections, `door.rs` says what is served where and what stands in front of it, `auth.rs` and
//! `limits.rs` judge a request, `protocol.rs` answers a message (`ids.rs` carries ids that the library cannot), `socket.rs` carries messages both ways, with what a
//! client subscribed to in `subscriptions.rs`, and `methods.rs`
//! says which
//! methods there are; `api.rs` registers and describes each in one call, and `openrpc.rs` is the document made of that. `client.rs` is the other end, for the command line,
//! and `refused.rs` what it is refused with. Every error carries the wire form.

mod answers;
mod api;
pub(crate) mod auth;
pub(crate) mod client;
pub(crate) mod door;
mod ids;
pub(crate) mod limits;
pub(crate) mod methods;
pub(crate) mod openrpc;
mod protocol;
mod refusal;
mod refused;
mod results;
pub(crate) mod server;
mod socket;
mod subscriptions;

pub(crate) use protocol::code as code_of;
