//! Answers by idempotency key, for the calls whose repetition nothing else recognises.
//!
//! In memory, for the life of the gateway: these calls change one thing that says itself whether it is done (a run that is
//! aborted, a row, a parked reply), and after a restart a repetition is answered from that. An error is not kept: the same
//! key may be tried again.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use moorline_taxonomy::Request;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::exit::{Exit, Failure};

/// Answers that are remembered; the oldest go first.
const REMEMBERED: usize = 4096;

#[derive(Default)]
pub(super) struct Answers(Mutex<Known>);

#[derive(Default)]
struct Known {
    answers: HashMap<(&'static str, String), Arc<Answered>>,
    order: VecDeque<(&'static str, String)>,
}

struct Answered {
    asked: Value,
    answer: OnceCell<Value>,
}

impl Answers {
    /// The answer to what was asked with this key: that of the first time, or of `call`, which then runs once even if the
    /// same is asked twice at the same time.
    ///
    /// Cancel-safe: whoever waits for the same key goes on with its own call.
    pub(super) async fn once(
        &self,
        method: &'static str,
        key: &str,
        asked: Value,
        call: impl Future<Output = anyhow::Result<Value>>,
    ) -> anyhow::Result<Value> {
        let answered = self.find(method, key, asked.clone());
        if answered.asked != asked {
            let shown: String = key.chars().take(64).collect();
            let message =
                format!("the idempotency key {shown:?} was used for another request; nothing was done");
            return Err(Failure::new(Exit::BadInput, Request::Format, message).into());
        }
        answered.answer.get_or_try_init(|| call).await.cloned()
    }

    fn find(&self, method: &'static str, key: &str, asked: Value) -> Arc<Answered> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (method, key.to_owned());
        if let Some(answered) = known.answers.get(&name) {
            return Arc::clone(answered);
        }
        if known.order.len() >= REMEMBERED
            && let Some(oldest) = known.order.pop_front()
        {
            known.answers.remove(&oldest);
        }
        let answered = Arc::new(Answered { asked, answer: OnceCell::new() });
        known.answers.insert(name.clone(), Arc::clone(&answered));
        known.order.push_back(name);
        answered
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_key_is_answered_once_whatever_is_asked_beside_and_after() {
        let (answers, calls) = (Answers::default(), AtomicUsize::new(0));
        let ask = |key: &'static str, asked: Value, fails: bool| {
            let (answers, calls) = (&answers, &calls);
            async move {
                let call = async {
                    tokio::task::yield_now().await;
                    let number = calls.fetch_add(1, Ordering::Relaxed);
                    if fails { Err(anyhow::anyhow!("no")) } else { Ok(json!(number)) }
                };
                answers.once("m", key, asked, call).await
            }
        };
        assert!(ask("k", json!(1), true).await.is_err());
        let (first, second) = tokio::join!(ask("k", json!(1), false), ask("k", json!(1), false));
        assert_eq!((first.unwrap(), second.unwrap()), (json!(1), json!(1)));
        assert_eq!(ask("k", json!(1), true).await.unwrap(), json!(1));
        assert!(ask("k", json!(2), false).await.unwrap_err().to_string().contains("another request"));
        for number in 0..REMEMBERED {
            let key: &'static str = Box::leak(format!("n{number}").into_boxed_str());
            ask(key, json!(1), false).await.unwrap();
        }
        // Forgotten by now: it runs again.
        assert_ne!(ask("k", json!(1), false).await.unwrap(), json!(1));
    }
}
