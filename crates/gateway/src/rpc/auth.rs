//! Who may come in: the host that a request was meant for, its origin, and the token or the secret of a login.
//!
//! - A web page can make a browser call a loopback address under a name of its own (DNS rebinding). Only loopback names and
//!   the configured address are answered, the page without a token included.
//! - A browser may send a request on behalf of somebody who did not mean to: one of another origin is refused even with
//!   the token.
//! - A login is a secret that the page keeps and sends itself, as a program does the token. A cookie was not taken: browsers
//!   send one to every port of a host, so that any local user with a port of his own would be given it. The secret is not
//!   the token: it dies with this gateway, so that whoever gets the port next gets nothing from a page that still asks.
//!
//! Token and login are compared in constant time.

use std::net::{IpAddr, SocketAddr};

use anyhow::anyhow;
use axum::http::{HeaderMap, StatusCode, header};
use moorline_taxonomy::Local;

use super::refusal::Refusal;

/// The protocol that a WebSocket of the page asks for; beside it, it names its login.
pub(super) const SUBPROTOCOL: &str = "moorline";
/// A browser lets a page set no header of a WebSocket but its protocols, so the login is one of them.
const BEARER_SUBPROTOCOL: &str = "bearer.";

/// What is needed to judge a request.
pub(crate) struct Admission {
    token: String,
    login: String,
    listening: IpAddr,
}

impl Admission {
    pub(crate) fn new(token: &str, listening: SocketAddr) -> anyhow::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random numbers: {error}"))?;
        Ok(Self {
            token: token.to_owned(),
            login: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
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
        of_this_origin(headers)?;
        let bearer =
            bearer(headers).is_some_and(|given| same(given, self.token.as_bytes()) || self.is_login(given));
        Ok(bearer || subprotocols(headers).any(|given| self.is_login(given.as_bytes())))
    }

    /// The secret of a login, for who has the token; a login gives no further login.
    pub(crate) fn login(&self, headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
        of_this_origin(headers)?;
        let has_token = bearer(headers).is_some_and(|given| same(given, self.token.as_bytes()));
        Ok(has_token.then_some(self.login.as_str()))
    }

    fn is_login(&self, given: &[u8]) -> bool {
        same(given, self.login.as_bytes())
    }
}

/// The answer to somebody without token and login.
pub(crate) fn stranger() -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        Local::Permission,
        "the header `Authorization` is needed, with the word Bearer, a space, and the content of the file `token` of the state directory",
    )
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
}

/// The secrets among the protocols that a WebSocket asks for.
fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values =
        headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let protocols = values.flat_map(|value| value.split(',')).map(str::trim);
    protocols.filter_map(|protocol| protocol.strip_prefix(BEARER_SUBPROTOCOL))
}

/// Programs say nothing of an origin; a browser leaves `Origin` out for some requests, and then says `Sec-Fetch-Site`.
fn of_this_origin(headers: &HeaderMap) -> Result<(), Refusal> {
    let host = text(headers, &header::HOST).unwrap_or_default();
    let ours = match headers.get(header::ORIGIN) {
        Some(origin) => {
            // Behind a proxy that ends TLS the scheme is https.
            let origin = origin.to_str().unwrap_or_default();
            let of = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            of == Some(host) && !host.is_empty()
        }
        None => !matches!(text(headers, "sec-fetch-site"), Some("cross-site" | "same-site")),
    };
    if ours {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::FORBIDDEN, Local::Permission, "requests of another origin are refused"))
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
        for (pairs, ours) in [
            (&[("host", "localhost:1")][..], true),
            (&[("host", "localhost:1"), ("origin", "http://localhost:1")], true),
            (&[("host", "localhost:1"), ("origin", "https://localhost:1")], true),
            (&[("host", "localhost:1"), ("origin", "http://localhost:2")], false),
            (&[("host", "localhost:1"), ("origin", "null")], false),
            (&[("origin", "http://")], false),
            (&[("host", "localhost:1"), ("sec-fetch-site", "same-origin")], true),
            (&[("host", "localhost:1"), ("sec-fetch-site", "cross-site")], false),
            (&[("host", "localhost:1"), ("sec-fetch-site", "same-site")], false),
            (&[("host", "localhost:1"), ("sec-fetch-site", "none")], true),
        ] {
            assert_eq!(of_this_origin(&headers(pairs)).is_ok(), ours, "{pairs:?}");
        }
    }

    #[test]
    fn a_login_is_sent_by_the_page_itself_and_never_by_a_browser_on_its_own() {
        let admission =
            Admission::new("a-token-of-sufficient-length", "127.0.0.1:7".parse().unwrap()).unwrap();
        let token = headers(&[("authorization", "Bearer a-token-of-sufficient-length")]);
        let login = admission.login(&token).unwrap().unwrap();
        let caller = |name, value: &str| admission.caller(&headers(&[(name, value)])).unwrap();
        assert!(caller("authorization", &format!("Bearer {login}")));
        assert!(caller("sec-websocket-protocol", &format!("moorline, bearer.{login}")));
        assert!(!caller("sec-websocket-protocol", &format!("moorline, {login}")));
        assert!(!caller("sec-websocket-protocol", "moorline, bearer."));
        for cookie in ["moorline", "moorline-7", "login", "bearer"] {
            assert!(!caller("cookie", &format!("{cookie}={login}")));
        }
        let again = headers(&[("authorization", &format!("Bearer {login}"))]);
        assert!(admission.login(&again).unwrap().is_none());
    }
}
