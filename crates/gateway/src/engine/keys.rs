//! Idempotency keys: the same key is the same request, in this gateway and in the next one.
//!
//! A key stands for one request; the same key with another one is refused instead of being answered with the first one's
//! result. Of a request only a digest is kept, since texts may be long and keys are many. What an earlier gateway accepted
//! is read from the event files at start.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use moorline_taxonomy::Request;
use sha2::{Digest, Sha256};

use crate::{
    exit::{Exit, Failure},
    session_key::SessionKey,
};

/// Keys that are remembered; the oldest go first.
const REMEMBERED: usize = 16_384;

/// What was asked for with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked([u8; 16]);

impl Asked {
    /// A message to a session, from another one or from a user.
    pub(crate) fn message(from: Option<&SessionKey>, to: &SessionKey, text: &str) -> Self {
        Self::of(&["message", from.map_or("", SessionKey::as_str), to.as_str(), text])
    }

    /// A child of a requester: its agent, its task, and whether it has the requester's history.
    pub(crate) fn child(requester: &SessionKey, agent: &str, task: &str, fork: bool) -> Self {
        Self::of(&["child", requester.as_str(), agent, task, if fork { "fork" } else { "isolated" }])
    }

    fn of(parts: &[&str]) -> Self {
        Self(digest(parts))
    }
}

/// A digest that nobody can make other parts for, and that no shift between the parts leaves the same.
pub(super) fn digest(parts: &[&str]) -> [u8; 16] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    let mut short = [0; 16];
    short.copy_from_slice(&digest.finalize()[..16]);
    short
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    asked: Asked,
    /// The run that does it; none yet in this gateway for what an earlier one settled.
    pub(crate) run_id: Option<String>,
    /// The child's session, for a child.
    pub(crate) child: Option<SessionKey>,
}

#[derive(Default)]
pub(crate) struct Keys {
    all: Mutex<All>,
    accepting: Mutex<()>,
}

#[derive(Default)]
struct All {
    known: HashMap<String, Known>,
    order: VecDeque<String>,
}

impl Keys {
    /// Held from looking a key up until it is remembered: of two calls with one key, one is accepted and the other finds it.
    pub(crate) fn accepting(&self) -> MutexGuard<'_, ()> {
        self.accepting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a key; refused when it stands for something else.
    pub(crate) fn find(&self, key: &str, asked: &Asked) -> Result<Option<Known>, Failure> {
        match self.lock().known.get(key) {
            Some(known) if known.asked == *asked => Ok(Some(known.clone())),
            Some(_) => {
                let shown: String = key.chars().take(64).collect();
                let message = format!(
                    "the idempotency key {shown:?} was used for another request; nothing was accepted"
                );
                Err(Failure::new(Exit::BadInput, Request::Format, message))
            }
            None => Ok(None),
        }
    }

    pub(crate) fn remember(&self, key: &str, asked: Asked, run_id: Option<&str>, child: Option<&SessionKey>) {
        let mut all = self.lock();
        let known = Known { asked, run_id: run_id.map(str::to_owned), child: child.cloned() };
        if all.known.insert(key.to_owned(), known).is_none() {
            all.order.push_back(key.to_owned());
        }
        if all.order.len() > REMEMBERED
            && let Some(oldest) = all.order.pop_front()
        {
            all.known.remove(&oldest);
        }
    }

    #[cfg(test)]
    pub(super) fn knows(&self, key: &str) -> bool {
        self.lock().known.contains_key(key)
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_keys_are_forgotten_and_the_same_key_counts_once() {
        let (keys, session) = (Keys::default(), "agent:main:x".parse().unwrap());
        let asked = || Asked::message(None, &session, "hello");
        for number in 0..REMEMBERED + 10 {
            for _ in 0..2 {
                keys.remember(&number.to_string(), asked(), None, None);
            }
        }
        let all = keys.lock();
        assert_eq!((all.known.len(), all.order.len()), (REMEMBERED, REMEMBERED));
        drop(all);
        assert!(keys.find("9", &asked()).unwrap().is_none() && keys.find("10", &asked()).unwrap().is_some());
    }

    #[test]
    fn every_part_of_a_request_counts() {
        let key = |name: &str| format!("agent:main:{name}").parse::<SessionKey>().unwrap();
        let (a, b) = (key("a"), key("b"));
        let child = Asked::child(&a, "main", "do", false);
        let message = Asked::message(Some(&a), &b, "do");
        let same: Vec<_> = [
            ("requester", &child, Asked::child(&b, "main", "do", false)),
            ("agent", &child, Asked::child(&a, "other", "do", false)),
            ("task", &child, Asked::child(&a, "main", "do it", false)),
            ("context", &child, Asked::child(&a, "main", "do", true)),
            ("sender", &message, Asked::message(Some(&b), &b, "do")),
            ("no sender", &message, Asked::message(None, &b, "do")),
            ("target", &message, Asked::message(Some(&a), &a, "do")),
            ("text", &message, Asked::message(Some(&a), &b, "do it")),
        ]
        .into_iter()
        .filter_map(|(part, one, other)| (*one == other).then_some(part))
        .collect();
        assert!(same.is_empty(), "counts for nothing: {same:?}");
    }
}
