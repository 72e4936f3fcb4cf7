//! Who may come in: the host that a request was meant for, its origin, and the token or the cookie of a login.
//!
//! - A web page can make a browser call a loopback address under a name of its own (DNS rebinding). Only loopback names and
//!   the configured address are answered, the page without a token included.
//! - A browser may send a request on behalf of somebody who did not mean to: one of another origin is refused even with
//!   the token, and a cookie counts only when the browser says that the request is of the same origin.
//! - The cookie is not the token: it is made anew by each gateway, dies with it, and is known to the browser alone. It
//!   names the port, because browsers keep cookies per host.
//!
//! Token and cookie are compared in constant time.

use std::net::{IpAddr, SocketAddr};

use anyhow::anyhow;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use moorline_taxonomy::{Local, Request};

use super::refusal::Refusal;

/// What is needed to judge a request.
pub(crate) struct Admission {
    token: String,
    cookie: String,
    /// `moorline-PORT=`
    cookie_name: String,
    listening: IpAddr,
}

impl Admission {
    pub(crate) fn new(token: &str, listening: SocketAddr) -> anyhow::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random numbers: {error}"))?;
        Ok(Self {
            token: token.to_owned(),
            cookie: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            cookie_name: format!("moorline-{}=", listening.port()),
            listening: listening.ip(),
        })
    }

    /// Whether the request was meant for this gateway.
    pub(crate) fn host(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = text(headers, &header::HOST).unwrap_or_default();
        if is_our_host(host, self.listening) {
            return Ok(());
        }
        Err(Refusal::new(
            StatusCode::FORBIDDEN,
            Local::Permission,
            "the Host header names another host; call this gateway by localhost or by the address it listens on",
        ))
    }

    /// Whether the request comes from somebody who may call. `Ok(false)`: nobody said who he is, or the wrong thing.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<bool, Refusal> {
        let origin = origin(headers);
        if origin == Origin::Other {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                Local::Permission,
                "requests of another origin are refused",
            ));
        }
        if self.has_token(headers) {
            return Ok(true);
        }
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut given = cookies
            .flat_map(|value| value.split("; "))
            .filter_map(|pair| pair.strip_prefix(&self.cookie_name));
        let has_cookie = given.any(|given| same(given.as_bytes(), self.cookie.as_bytes()));
        if has_cookie && origin == Origin::Unsaid {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                Local::Permission,
                "a login counts only for requests of the page itself: Origin or Sec-Fetch-Site must say so",
            ));
        }
        Ok(has_cookie)
    }

    /// Whether the request carries the token itself.
    pub(crate) fn has_token(&self, headers: &HeaderMap) -> bool {
        let given =
            headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        given.is_some_and(|given| same(given, self.token.as_bytes()))
    }

    /// The cookie of a login.
    pub(crate) fn login(&self) -> anyhow::Result<HeaderValue> {
        let text = format!("{}{}; HttpOnly; SameSite=Strict; Path=/", self.cookie_name, self.cookie);
        let mut value: HeaderValue = text.parse()?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// The answer to somebody without token and cookie.
pub(crate) fn stranger() -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        Local::Permission,
        "a bearer token is needed: Authorization: Bearer TOKEN, from the file `token` of the state directory",
    )
}

/// The answer to a login without a body or token that could be read.
pub(crate) fn bad_login() -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, Request::Format, "the login could not be answered")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// A page of this gateway.
    Same,
    /// A page of somebody else.
    Other,
    /// Programs say nothing; a browser leaves `Origin` out for some requests, and then says `Sec-Fetch-Site`.
    Unsaid,
}

fn origin(headers: &HeaderMap) -> Origin {
    let host = text(headers, &header::HOST).unwrap_or_default();
    if let Some(origin) = headers.get(header::ORIGIN) {
        // Behind a proxy that ends TLS the scheme is https.
        let origin = origin.to_str().unwrap_or_default();
        let of = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        return if of == Some(host) && !host.is_empty() { Origin::Same } else { Origin::Other };
    }
    match text(headers, "sec-fetch-site") {
        Some("same-origin") => Origin::Same,
        Some("cross-site" | "same-site") => Origin::Other,
        Some(_) | None => Origin::Unsaid,
    }
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Loopback names, the address listened on, and, when that is every address, any address in numbers: a name is what
/// rebinding needs.
fn is_our_host(host: &str, listening: IpAddr) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    let name = name.unwrap_or_default();
    match name.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || address == listening || listening.is_unspecified(),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

/// Compares without stopping at the first difference; the length may be known.
fn same(given: &[u8], token: &[u8]) -> bool {
    given.len() == token.len() && given.iter().zip(token).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_passes() {
        assert!(same(b"abc", b"abc"));
        for given in [&b""[..], b"ab", b"abcd", b"abd", b"Abc"] {
            assert!(!same(given, b"abc"));
        }
    }

    #[test]
    fn hosts() {
        let loopback = "127.0.0.1".parse().unwrap();
        let every = "0.0.0.0".parse().unwrap();
        let one = "192.0.2.7".parse().unwrap();
        for (host, at, ours) in [
            ("localhost", loopback, true),
            ("LocalHost:7777", loopback, true),
            ("127.0.0.1:7777", loopback, true),
            ("127.8.8.8", loopback, true),
            ("[::1]:7777", loopback, true),
            ("", loopback, false),
            ("evil.example", loopback, false),
            ("evil.example:7777", loopback, false),
            ("localhost.evil.example", loopback, false),
            ("127.0.0.1.evil.example", loopback, false),
            ("[::1", loopback, true),
            ("192.0.2.7", loopback, false),
            ("192.0.2.7:80", one, true),
            ("192.0.2.8:80", one, false),
            ("192.0.2.8:80", every, true),
            ("gateway.example", every, false),
        ] {
            assert_eq!(is_our_host(host, at), ours, "{host} at {at}");
        }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn origins() {
        for (pairs, is) in [
            (&[("host", "localhost:1")][..], Origin::Unsaid),
            (&[("host", "localhost:1"), ("origin", "http://localhost:1")], Origin::Same),
            (&[("host", "localhost:1"), ("origin", "https://localhost:1")], Origin::Same),
            (&[("host", "localhost:1"), ("origin", "http://localhost:2")], Origin::Other),
            (&[("host", "localhost:1"), ("origin", "null")], Origin::Other),
            (&[("origin", "http://")], Origin::Other),
            (&[("host", "localhost:1"), ("sec-fetch-site", "same-origin")], Origin::Same),
            (&[("host", "localhost:1"), ("sec-fetch-site", "cross-site")], Origin::Other),
            (&[("host", "localhost:1"), ("sec-fetch-site", "same-site")], Origin::Other),
            (&[("host", "localhost:1"), ("sec-fetch-site", "none")], Origin::Unsaid),
        ] {
            assert_eq!(origin(&headers(pairs)), is, "{pairs:?}");
        }
    }

    #[test]
    fn a_login_counts_for_the_page_alone() {
        let admission =
            Admission::new("a-token-of-sufficient-length", "127.0.0.1:7".parse().unwrap()).unwrap();
        let login = admission.login().unwrap();
        assert!(!format!("{login:?}").contains(&admission.cookie));
        let cookie = format!("other=1; {}", login.to_str().unwrap().split(';').next().unwrap());
        let caller = |more: &[(&'static str, &str)]| {
            let mut headers = headers(more);
            headers.append("cookie", cookie.parse().unwrap());
            headers.append("host", "localhost:7".parse().unwrap());
            admission.caller(&headers)
        };
        assert!(matches!(caller(&[("origin", "http://localhost:7")]), Ok(true)));
        assert!(matches!(caller(&[("sec-fetch-site", "same-origin")]), Ok(true)));
        assert!(caller(&[]).is_err());
        assert!(caller(&[("sec-fetch-site", "none")]).is_err());
        assert!(caller(&[("origin", "http://evil.example")]).is_err());
    }
}
