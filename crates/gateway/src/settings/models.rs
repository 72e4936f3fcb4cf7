//! Which models are asked, and where their providers are.
//!
//! ```yaml
//! models:
//!   - anthropic/claude-sonnet-4-5
//!   - { model: here/qwen3, window: 32768 }
//! providers:
//!   here: { api: openai, endpoint: "http://127.0.0.1:8000/v1/" }
//! ```
//!
//! The decision: a key is named (`apiKeyEnv`) and read from the environment, never written into the file, which is copied,
//! shown and committed; one that is written there is refused. The name that a provider has by default belongs to its own
//! endpoint alone: no key of one company is sent to another's address because somebody only changed the endpoint.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Problem, nearest};

/// The list of models, `PROVIDER/MODEL` with commas between; it replaces the file's.
pub(super) const ENV: &str = "MOORLINE_MODELS";

/// The wire format that a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    OpenAi,
    Anthropic,
    Gemini,
    Ollama,
}

impl Api {
    pub(crate) const ALL: [Self; 4] = [Self::OpenAi, Self::Anthropic, Self::Gemini, Self::Ollama];

    /// The word in the file, which is also the name of the provider that made the format.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
        }
    }

    /// Where that provider is.
    pub(crate) const fn endpoint(self) -> &'static str {
        match self {
            Self::OpenAi => "https://api.openai.com/v1/",
            Self::Anthropic => "https://api.anthropic.com/v1/",
            Self::Gemini => "https://generativelanguage.googleapis.com/v1beta/",
            Self::Ollama => "http://localhost:11434/",
        }
    }

    /// The environment name of its key.
    pub(crate) const fn key_env(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("OPENAI_API_KEY"),
            Self::Anthropic => Some("ANTHROPIC_API_KEY"),
            Self::Gemini => Some("GEMINI_API_KEY"),
            Self::Ollama => None,
        }
    }
}

/// A provider: who is called, where, how, and with which credential.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "providers"),
    allow(dead_code, reason = "every build checks them, one with providers uses them")
)]
pub(crate) struct ProviderChoice {
    pub(crate) name: String,
    pub(crate) api: Api,
    /// Ends in a slash.
    pub(crate) endpoint: String,
    /// The environment name of the key.
    pub(crate) key_env: Option<String>,
    /// The longest one call may take.
    pub(crate) timeout_ms: u64,
}

/// A model that may be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "providers"),
    allow(dead_code, reason = "every build checks them, one with providers uses them")
)]
pub(crate) struct ModelChoice {
    pub(crate) provider: Arc<ProviderChoice>,
    pub(crate) model: String,
    /// Its context window in tokens, where it is known.
    pub(crate) window: Option<u64>,
    /// Its words are passed on while it speaks.
    pub(crate) stream: bool,
}

/// A call that takes longer has hung: providers answer, or begin to, within a minute or two.
const DEFAULT_TIMEOUT_MS: u64 = 300_000;
const TIMEOUT: (u64, u64) = (100, 3_600_000);
const WINDOW: (u64, u64) = (256, 100_000_000);

/// Fields of a provider and of a model, as docs/configuration.md lists them.
pub(super) const PROVIDER_FIELDS: [&str; 4] = ["api", "endpoint", "apiKeyEnv", "timeoutMs"];
pub(super) const MODEL_FIELDS: [&str; 3] = ["model", "window", "stream"];

/// Reads both sections; `list` is the environment's.
pub(super) fn read(
    providers: Option<Value>,
    chosen: Option<Value>,
    list: Option<String>,
    problems: &mut Vec<Problem>,
) -> Vec<ModelChoice> {
    let known = all_providers(providers, problems);
    let (entries, key) = match (list, chosen) {
        (Some(list), _) => {
            (list.split(',').map(|name| Value::String(name.trim().to_owned())).collect(), ENV.to_owned())
        }
        (None, Some(Value::Array(entries))) => (entries, "models".to_owned()),
        (None, Some(Value::Null) | None) => return Vec::new(),
        (None, Some(other)) => {
            problems.push(Problem::value("models", &other, "a list of PROVIDER/MODEL"));
            return Vec::new();
        }
    };
    let mut models = Vec::new();
    for (number, entry) in entries.into_iter().enumerate() {
        match model(&format!("{key}[{number}]"), entry, &known) {
            Ok(model) => models.push(model),
            Err(problem) if key == ENV => problems.push(problem.in_environment()),
            Err(problem) => problems.push(problem),
        }
    }
    models
}

fn all_providers(section: Option<Value>, problems: &mut Vec<Problem>) -> Vec<Arc<ProviderChoice>> {
    let section = match section {
        Some(Value::Object(section)) => section,
        Some(Value::Null) | None => Map::new(),
        Some(other) => {
            problems.push(Problem::value("providers", &other, "names with their fields below"));
            Map::new()
        }
    };
    let mut known = Vec::new();
    for (name, fields) in section {
        match provider(&name, fields) {
            Ok(provider) => known.push(Arc::new(provider)),
            Err(problem) => problems.push(problem),
        }
    }
    for api in Api::ALL {
        if !known.iter().any(|provider: &Arc<ProviderChoice>| provider.name == api.as_str()) {
            known.push(Arc::new(ProviderChoice {
                name: api.as_str().to_owned(),
                api,
                endpoint: api.endpoint().to_owned(),
                key_env: api.key_env().map(str::to_owned),
                timeout_ms: DEFAULT_TIMEOUT_MS,
            }));
        }
    }
    known
}

fn provider(name: &str, fields: Value) -> Result<ProviderChoice, Problem> {
    let at = |field: &str| format!("providers.{name}.{field}");
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        let shown: String = name.chars().take(64).collect();
        let says =
            "has a wrong name: allowed are small letters, digits, dot, dash and underscore, at most 64";
        return Err(Problem::new(format!("providers.{shown:?}"), says));
    }
    let fields = match fields {
        Value::Object(fields) => fields,
        Value::Null => Map::new(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            return Err(Problem::value(format!("providers.{name}"), &other, "fields below it"));
        }
    };
    only_known(&fields, &PROVIDER_FIELDS, &|field| at(field))?;
    let own = Api::ALL.into_iter().find(|api| api.as_str() == name);
    let api = match fields.get("api") {
        Some(word) => Api::ALL
            .into_iter()
            .find(|api| Some(api.as_str()) == word.as_str())
            .ok_or_else(|| Problem::value(at("api"), word, &Api::ALL.map(Api::as_str).join(", ")))?,
        None => own.ok_or_else(|| {
            let allowed = Api::ALL.map(Api::as_str).join(", ");
            Problem::new(at("api"), format!("is missing: which format does it speak? Allowed are {allowed}"))
        })?,
    };
    let endpoint = fields.get("endpoint").map(|value| endpoint(&at("endpoint"), value)).transpose()?;
    if endpoint.is_none() && own != Some(api) {
        return Err(Problem::new(at("endpoint"), "is missing: where is it? As https://host/v1/"));
    }
    let named = fields.get("apiKeyEnv").map(|value| key_env(&at("apiKeyEnv"), value)).transpose()?;
    let key_env = match (&endpoint, named) {
        (_, Some(named)) => Some(named),
        (None, None) => api.key_env().map(str::to_owned),
        (Some(_), None) => None,
    };
    let timeout = fields.get("timeoutMs").map(|value| whole(&at("timeoutMs"), value, TIMEOUT)).transpose()?;
    Ok(ProviderChoice {
        name: name.to_owned(),
        api,
        endpoint: endpoint.unwrap_or_else(|| api.endpoint().to_owned()),
        key_env,
        timeout_ms: timeout.unwrap_or(DEFAULT_TIMEOUT_MS),
    })
}

fn model(key: &str, entry: Value, known: &[Arc<ProviderChoice>]) -> Result<ModelChoice, Problem> {
    let fields = match entry {
        Value::Object(fields) => fields,
        name @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Map::from_iter([("model".to_owned(), name)])
        }
    };
    only_known(&fields, &MODEL_FIELDS, &|field| format!("{key}.{field}"))?;
    let named = fields.get("model").unwrap_or(&Value::Null);
    let halves = named.as_str().and_then(|name| name.split_once('/'));
    let usable = halves.filter(|(_, model)| !model.is_empty() && model.len() <= 256);
    let (name, model) =
        usable.ok_or_else(|| Problem::value(key, named, "PROVIDER/MODEL, as anthropic/claude-sonnet-4-5"))?;
    let provider = known.iter().find(|provider| provider.name == name).ok_or_else(|| {
        let near = nearest(name, known.iter().map(|provider| provider.name.as_str()));
        Problem::new(key, format!("names the provider {name:?}, which is not among providers{near}"))
    })?;
    let stream = match fields.get("stream") {
        Some(value) => {
            value.as_bool().ok_or_else(|| Problem::value(format!("{key}.stream"), value, "true and false"))?
        }
        None => false,
    };
    let window =
        fields.get("window").map(|value| whole(&format!("{key}.window"), value, WINDOW)).transpose()?;
    Ok(ModelChoice { provider: Arc::clone(provider), model: model.to_owned(), window, stream })
}

/// Refuses fields that do not exist, and keys that are written down, without showing what was written.
fn only_known(
    fields: &Map<String, Value>,
    known: &[&str],
    at: &dyn Fn(&str) -> String,
) -> Result<(), Problem> {
    let Some(field) = fields.keys().find(|field| !known.contains(&field.as_str())) else { return Ok(()) };
    let word = field.to_lowercase().replace(['_', '-'], "");
    if ["apikey", "key", "token", "secret", "password"].contains(&word.as_str()) {
        let says = "holds a key in clear: put it into an environment variable and name that with apiKeyEnv";
        return Err(Problem::new(at(field), says));
    }
    Err(Problem::new(at(field), format!("is no setting{}", nearest(field, known.iter().copied()))))
}

fn endpoint(key: &str, value: &Value) -> Result<String, Problem> {
    let text = value.as_str().unwrap_or_default();
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    if host.contains('@') {
        return Err(Problem::new(key, "has a user or a password in it: name the key with apiKeyEnv instead"));
    }
    let odd = |c: char| c.is_whitespace() || c.is_control() || "?#\"<>\\".contains(c);
    if host.is_empty() || text.contains(odd) {
        return Err(Problem::value(key, value, "http:// and https:// addresses, as https://host/v1/"));
    }
    Ok(if text.ends_with('/') { text.to_owned() } else { format!("{text}/") })
}

/// A name, not a key: what does not look like a name is not shown.
fn key_env(key: &str, value: &Value) -> Result<String, Problem> {
    let name = value.as_str().unwrap_or_default();
    let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty()
        || name.len() > 64
        || !name.chars().all(upper)
        || name.starts_with(|c: char| c.is_ascii_digit())
    {
        let says =
            "must be the name of an environment variable in capitals, as OPENAI_API_KEY, not the key itself";
        return Err(Problem::new(key, says));
    }
    Ok(name.to_owned())
}

fn whole(key: &str, value: &Value, (min, max): (u64, u64)) -> Result<u64, Problem> {
    let number = value.as_u64().filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| Problem::value(key, value, &format!("whole numbers from {min} to {max}")))
}
