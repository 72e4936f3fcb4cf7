//! Calls of methods, by method and code. A name that no method has is counted as `unknown`, so that callers cannot make up
//! series.

use std::{collections::HashSet, sync::Arc};

use jsonrpsee_core::{
    middleware::{Batch, BatchEntry, Notification, Request, RpcServiceT},
    server::MethodResponse,
};
use metrics::counter;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::table as name;

/// Counts what passes through.
#[derive(Clone)]
pub(crate) struct Requests<S> {
    inner: S,
    known: Arc<HashSet<&'static str>>,
}

impl<S> Requests<S> {
    pub(crate) fn new(inner: S, known: Arc<HashSet<&'static str>>) -> Self {
        Self { inner, known }
    }

    fn known(&self, method: &str) -> &'static str {
        self.known.get(method).copied().unwrap_or("unknown")
    }
}

impl<S> RpcServiceT for Requests<S>
where
    S: RpcServiceT<MethodResponse = MethodResponse, BatchResponse = MethodResponse>
        + Send
        + Sync
        + Clone
        + 'static,
{
    type MethodResponse = MethodResponse;
    type BatchResponse = MethodResponse;
    type NotificationResponse = S::NotificationResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let (method, inner) = (self.known(request.method_name()), self.inner.clone());
        async move {
            let answer = inner.call(request).await;
            let answered = answer.is_error().then(|| Answered::read(answer.as_json())).flatten();
            count(method, answered.as_ref());
            answer
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let calls = batch.iter().filter_map(|entry| match entry {
            Ok(BatchEntry::Call(request)) => Some((
                serde_json::to_string(&request.id).unwrap_or_default(),
                self.known(request.method_name()),
            )),
            Ok(BatchEntry::Notification(_)) | Err(_) => None,
        });
        let calls: Vec<(String, &'static str)> = calls.collect();
        let inner = self.inner.clone();
        async move {
            let answer = inner.batch(batch).await;
            let answers: Vec<Answered<'_>> = serde_json::from_str(answer.as_json().get()).unwrap_or_default();
            for (id, method) in calls {
                count(method, answers.iter().find(|answer| answer.id.get() == id));
            }
            answer
        }
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = Self::NotificationResponse> + Send + 'a {
        self.inner.notification(notification)
    }
}

/// What is looked at of an answer.
#[derive(Deserialize)]
struct Answered<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    error: Option<Failed>,
}

#[derive(Deserialize)]
struct Failed {
    code: i32,
    data: Option<Coded>,
}

#[derive(Deserialize)]
struct Coded {
    code: moorline_taxonomy::WireCode,
}

impl<'a> Answered<'a> {
    fn read(json: &'a RawValue) -> Option<Self> {
        serde_json::from_str(json.get()).ok()
    }
}

fn count(method: &'static str, answered: Option<&Answered<'_>>) {
    let code = match answered.and_then(|answer| answer.error.as_ref()) {
        None => "ok".to_owned(),
        Some(Failed { data: Some(wire), .. }) => wire.code.to_string(),
        // The library's own errors get their code where they leave.
        Some(Failed { code, data: None }) => crate::rpc::code_of(*code).to_string(),
    };
    counter!(name::RPC_REQUESTS, "method" => method, "code" => code).increment(1);
}
