//! Metrics at `/metrics`, in the text form of Prometheus: what the gateway's observers saw, as numbers.
//!
//! Counting stands beside the places that write events down and watch locks and models; the libraries know nothing of it. Labels are words of closed sets, never a session, a path, a run or a text, so that nothing secret
//! gets out and the number of series is bounded. A process that installs no recorder (every command but `serve`) counts
//! nothing and pays nothing.

mod count;
mod render;
mod requests;
mod table;

pub(crate) use count::{cooled, event, lock_held, lock_waited, model_called, notices_missed, tool_called};
pub(crate) use render::install;
pub(crate) use requests::Requests;
