//! Reading an answer's body: codes, types, statuses, delays and messages, wherever an envelope puts them.
//!
//! Bodies nest: a router quotes its upstream as a string of JSON inside a message inside an error. So one tolerant
//! reader walks whatever looks like JSON (also Python's and JavaScript's spelling, also cut off in the middle), takes
//! what stands under known keys, and looks into nothing else. The option not taken is `serde_json::Value`: it allocates
//! the echoed prompt, and it refuses exactly the bodies that are hard.
//!
//! What must stay true: the order of keys does not matter, unknown keys do not matter, and work is bounded whatever the
//! body is: bytes, tokens, depth and nested documents.

mod coded;
mod cursor;
mod exception;
mod gather;
mod html;
mod roles;
mod text_status;

pub(crate) use coded::Coded;
pub(crate) use cursor::MAX_BYTES;
pub(crate) use gather::Gather;
