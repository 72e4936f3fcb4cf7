//! The bearer token in front of every request, and the origin check.
//!
//! The token is compared in constant time. A request from a web page of another origin is refused even with the token,
//! because a browser may send it on behalf of somebody who did not mean to.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use jsonrpsee_server::{HttpBody, HttpRequest, HttpResponse};
use tower::{Layer, Service};

/// Puts the token in front of a service.
#[derive(Clone)]
pub(crate) struct BearerToken(Arc<str>);

impl BearerToken {
    pub(crate) fn new(token: &str) -> Self {
        Self(token.into())
    }
}

impl<S> Layer<S> for BearerToken {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded { inner, token: Arc::clone(&self.0) }
    }
}

#[derive(Clone)]
pub(crate) struct Guarded<S> {
    inner: S,
    token: Arc<str>,
}

impl<S, B> Service<HttpRequest<B>> for Guarded<S>
where
    S: Service<HttpRequest<B>, Response = HttpResponse> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Send + 'static,
{
    type Response = HttpResponse;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        let header = |name: &str| request.headers().get(name).map(|value| value.as_bytes().to_owned());
        let authorised = header("authorization")
            .as_deref()
            .and_then(|value| value.strip_prefix(b"Bearer "))
            .is_some_and(|given| same(given, self.token.as_bytes()));
        // Programs send no Origin; a page served by this gateway would send its own host.
        let foreign_origin = header("origin").is_some_and(|origin| {
            let host = header("host").unwrap_or_default();
            origin.strip_prefix(b"http://") != Some(&host[..])
        });
        if !authorised {
            return refuse(
                401,
                "a bearer token is needed: Authorization: Bearer TOKEN, from the file `token` of the state directory",
            );
        }
        if foreign_origin {
            return refuse(403, "requests of another origin are refused");
        }
        Box::pin(self.inner.call(request))
    }
}

fn refuse<E: Send + 'static>(
    status: u16,
    why: &'static str,
) -> Pin<Box<dyn Future<Output = Result<HttpResponse, E>> + Send>> {
    let mut response = HttpResponse::new(HttpBody::from(format!("{why}\n")));
    *response.status_mut() = status.try_into().unwrap_or_default();
    Box::pin(async move { Ok(response) })
}

/// Compares without stopping at the first difference; the length may be known.
fn same(given: &[u8], token: &[u8]) -> bool {
    given.len() == token.len() && given.iter().zip(token).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn only_the_whole_token_passes() {
        assert!(same(b"abc", b"abc"));
        for given in [&b""[..], b"ab", b"abcd", b"abd", b"Abc"] {
            assert!(!same(given, b"abc"));
        }
    }
}
