//! Settings and models: every problem at once, keys by their names, endpoints by a connection.

use std::{net::ToSocketAddrs, path::Path, time::Duration};

use super::Finding;
use crate::settings::{self, ModelChoice, Problem, Stands};

pub(super) const CHECK: &str = "settings";
pub(super) const MODELS: &str = "models";
/// An endpoint that does not take a connection within this is not reachable.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

pub(super) fn look(root: &Path, read: &settings::Read) -> Vec<Finding> {
    let path = settings::path_of(root);
    let settings::Read { settings, problems } = read;
    let next = "correct it; docs/configuration.md lists what is allowed";
    let found = |problem: &Problem| match problem.stands {
        Stands::InFile => Finding::fail(CHECK, problem.to_string(), next).at(&path),
        Stands::InEnvironment => Finding::fail(
            CHECK,
            problem.to_string(),
            "correct it in the environment, or unset it; docs/configuration.md lists what is allowed",
        ),
    };
    let mut findings: Vec<Finding> = problems.iter().map(found).collect();
    if let Err(error) = settings.lock.check_compat() {
        findings.push(Finding::fail(CHECK, error.to_string(), next).at(&path));
    }
    for warning in settings.lock.warnings() {
        findings.push(Finding::warn(CHECK, warning, "keep acquireTimeoutMs < maxHoldMs < staleMs").at(&path));
    }
    for unknown in settings::unknown_names() {
        findings.push(Finding::warn(CHECK, unknown.to_string(), "correct the name, or unset it"));
    }
    if findings.is_empty() {
        let what = if path.exists() { "all of it can be meant" } else { "no file; the defaults stand" };
        findings.push(Finding::ok(CHECK, what).at(&path));
    }
    findings.extend(models(&settings.models));
    findings
}

fn models(models: &[ModelChoice]) -> Vec<Finding> {
    if models.is_empty() {
        return vec![Finding::ok(MODELS, "none configured; the scripted model answers")];
    }
    #[cfg(not(feature = "providers"))]
    {
        let next = "use a build with `--features providers`, or remove `models`";
        vec![Finding::fail(MODELS, crate::model::WITHOUT_PROVIDERS, next)]
    }
    #[cfg(feature = "providers")]
    {
        let mut findings = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for model in models {
            let provider = &model.provider;
            if !seen.contains(&provider.name.as_str()) {
                seen.push(&provider.name);
                findings.push(key(&provider.name, provider.key_env.as_deref(), &provider.endpoint));
                findings.push(reach(&provider.name, &provider.endpoint));
            }
        }
        findings
    }
}

/// Whether the key is there; it is looked at and never shown.
#[cfg_attr(not(any(test, feature = "providers")), allow(dead_code, reason = "for builds with providers"))]
fn key(provider: &str, name: Option<&str>, endpoint: &str) -> Finding {
    let plain = endpoint.starts_with("http://") && !is_local(endpoint);
    match name {
        None => Finding::ok(MODELS, format!("{provider} is asked without a key")),
        Some(name) if settings::environment(name).is_none_or(|key| key.trim().is_empty()) => Finding::fail(
            MODELS,
            format!("{provider} needs a key, and {name} is not set here"),
            format!("set {name} in the environment of `moorline serve`"),
        ),
        Some(name) if plain => Finding::warn(
            MODELS,
            format!("{provider}: {name} is set, and goes over the network unencrypted"),
            "use an https:// endpoint",
        ),
        Some(name) => Finding::ok(MODELS, format!("{provider}: {name} is set")),
    }
}

/// Whether somebody listens there. No request is made: one would cost money, and say who asks.
#[cfg_attr(not(any(test, feature = "providers")), allow(dead_code, reason = "for builds with providers"))]
fn reach(provider: &str, endpoint: &str) -> Finding {
    let behind_proxy = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
        .into_iter()
        .any(|name| settings::environment(name).is_some());
    if behind_proxy && !is_local(endpoint) {
        return Finding::ok(
            MODELS,
            format!("{provider} is behind the proxy of the environment, and was not tried"),
        );
    }
    let host = host_of(endpoint);
    let port = if endpoint.starts_with("https:") { 443 } else { 80 };
    let named = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let address = if named { host.to_owned() } else { format!("{host}:{port}") };
    let reached = address.to_socket_addrs().and_then(|mut all| {
        let first = all.next().ok_or_else(|| std::io::Error::other("the name has no address"))?;
        std::net::TcpStream::connect_timeout(&first, CONNECT_WITHIN).map(drop)
    });
    match reached {
        Ok(()) => Finding::ok(MODELS, format!("{provider} can be reached at {address}")),
        Err(error) => Finding::warn(
            MODELS,
            format!("{provider} cannot be reached at {address}: {error}"),
            "check the network and the endpoint; turns go to the next model meanwhile",
        ),
    }
}

fn host_of(endpoint: &str) -> &str {
    endpoint.split("//").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default()
}

fn is_local(endpoint: &str) -> bool {
    ["localhost", "127.", "[::1]"].iter().any(|local| host_of(endpoint).starts_with(local))
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};

    #[test]
    fn a_key_that_is_missing_or_goes_unencrypted_is_found() {
        let missing = key("openai", Some("MOORLINE_TEST_NO_SUCH_KEY"), "https://host/v1/");
        assert_eq!(missing.state, State::Fail);
        assert!(missing.what.contains("MOORLINE_TEST_NO_SUCH_KEY is not set"), "{}", missing.what);
        // PATH is always set; its value must not be shown.
        let plain = key("openai", Some("PATH"), "http://host/v1/");
        assert_eq!(plain.state, State::Warn);
        assert!(!plain.what.contains('/'), "{}", plain.what);
        assert_eq!(key("openai", Some("PATH"), "http://127.0.0.1:8000/v1/").state, State::Ok);
        assert_eq!(key("ollama", None, "http://host/").state, State::Ok);
    }

    #[test]
    fn a_door_that_is_closed_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/v1/", listener.local_addr().unwrap());
        assert_eq!(reach("here", &endpoint).state, State::Ok);
        drop(listener);
        let closed = reach("here", &endpoint);
        assert_eq!(closed.state, State::Warn);
        assert!(closed.what.contains("cannot be reached"), "{}", closed.what);
    }
}
