//! The calls of a turn that are known to be done.
//!
//! A tool's call is named by what it asks for and by how often that was done before, and not by the id that the model gave
//! it: a call whose outcome got lost has the same name when the model makes it again, under another id, and two calls that
//! were both done have two names. What must stay true: a run that goes on with a turn counts as the run before it did.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use super::message::{Message, ToolCall};

#[derive(Default)]
pub(super) struct DoneCalls {
    counts: HashMap<u64, usize>,
    hashes: RandomState,
}

impl DoneCalls {
    /// What the messages of a turn say.
    pub(super) fn of(messages: impl Iterator<Item = Message>) -> Self {
        let (mut done, mut open) = (Self::default(), Vec::new());
        for message in messages {
            match message {
                Message::Assistant { calls, .. } => open = calls,
                Message::ToolResult { call_id, is_error: false, .. } => {
                    if let Some(at) = open.iter().position(|call| call.id == call_id) {
                        done.add(&open.remove(at));
                    }
                }
                Message::User { .. } | Message::ToolResult { .. } => {}
            }
        }
        done
    }

    pub(super) fn add(&mut self, call: &ToolCall) {
        *self.counts.entry(self.hash(call)).or_default() += 1;
    }

    /// How often the same was done before.
    pub(super) fn before(&self, call: &ToolCall) -> usize {
        self.counts.get(&self.hash(call)).copied().unwrap_or_default()
    }

    fn hash(&self, call: &ToolCall) -> u64 {
        self.hashes.hash_one((&call.name, &call.arguments))
    }
}
