//! Settings: what is read, what is refused and how that is said, and that the page lists what the code has.

use super::*;
use models::{Api, MODEL_FIELDS, PROVIDER_FIELDS};
use table::Setting;

fn read_text(text: &str, environment: &[(&str, &str)]) -> Read {
    let dir = tempfile::tempdir().unwrap();
    let path = path_of(dir.path());
    std::fs::write(&path, text).unwrap();
    read(&path, OnStale::Report, |name| {
        environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

/// The one problem of a file.
fn problem(text: &str) -> String {
    let problems = read_text(text, &[]).problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].to_string()
}

fn defaults() -> Settings {
    read_text("", &[]).settings
}

/// The rows of a table of the page, between its marks.
fn rows(name: &str) -> Vec<Vec<String>> {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md")).unwrap();
    let block = page.split(&format!("<!-- {name} -->")).nth(1).unwrap_or_else(|| panic!("no table {name}"));
    let block = block.split("<!-- /").next().unwrap();
    let lines = block.lines().filter(|line| line.starts_with("| `"));
    lines
        .map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

fn code(text: impl AsRef<str>) -> String {
    format!("`{}`", text.as_ref())
}

#[test]
fn the_page_lists_the_settings_as_the_code_has_them() {
    let mut settings = defaults();
    let expected: Vec<Vec<String>> = SETTINGS
        .iter()
        .map(|setting| {
            let default = setting.takes.get(&mut settings);
            let Setting { key, env, takes, meaning } = setting;
            vec![code(key), code(env), code(default), takes.allowed(), (*meaning).to_owned()]
        })
        .collect();
    let printed: String = expected.iter().map(|row| format!("| {} |\n", row.join(" | "))).collect();
    assert_eq!(rows("settings"), expected, "the table must be:\n{printed}");
    let fields = |name| rows(name).into_iter().map(|row| row[0].clone()).collect::<Vec<_>>();
    assert_eq!(fields("providers"), PROVIDER_FIELDS.map(code));
    assert_eq!(fields("models"), MODEL_FIELDS.map(code));
    let own = Api::ALL.map(|api| {
        vec![code(api.as_str()), code(api.endpoint()), api.key_env().map_or("none".to_owned(), code)]
    });
    assert_eq!(rows("apis"), own);
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let text = "limits:\n  turns: 7\n  pingPong: 0\nsession:\n  writeLock:\n    staleMs: 5\n    compat: { fsSafe: true }\nlog: { format: json }\n";
    let Read { settings, problems } = read_text(text, &[("MOORLINE_LIMITS_TURNS", "9")]);
    assert_eq!(problems, []);
    assert_eq!(settings.limits, Limits { turns: 9, ping_pong: 0, ..Limits::default() });
    assert_eq!(settings.lock.stale, std::time::Duration::from_millis(5));
    assert!(settings.lock.fs_safe_guard);
    assert_eq!(settings.log, LogFormat::Json);
    assert_eq!(settings.models, []);
}

#[test]
fn a_section_that_is_commented_out_is_empty() {
    for text in ["", "# limits:\n", "limits:\n  # turns: 3\n", "models:\nproviders:\n"] {
        let read = read_text(text, &[]);
        assert_eq!(read.problems, [], "{text}");
        assert_eq!(read.settings.limits, Limits::default());
    }
}

#[test]
fn a_value_that_cannot_be_meant_is_named_with_key_value_and_range() {
    for (text, parts) in [
        ("limits: { turns: 0 }", ["limits.turns is 0", "from 1 to 4096"]),
        ("limits: { turns: many }", ["limits.turns is \"many\"", "from 1 to 4096"]),
        ("limits: { turns: [1] }", ["limits.turns is [1]", "whole numbers"]),
        ("limits: { pingPong: 21 }", ["limits.pingPong is 21", "from 0 to 20"]),
        ("log: { format: xml }", ["log.format is \"xml\"", "auto, text, json"]),
        ("session: { writeLock: { staleMs: -1 } }", ["session.writeLock.staleMs is \"-1\"", "allowed are"]),
        ("models: [gpt-5]", ["models[0] is \"gpt-5\"", "PROVIDER/MODEL"]),
        ("models: [{ model: openai/x, window: 1 }]", ["models[0].window is 1", "from 256"]),
        ("models: [{ model: openai/x, stream: 1 }]", ["models[0].stream is 1", "true and false"]),
        (
            "providers: { mine: { api: soap, endpoint: 'http://x' } }",
            ["mine.api is \"soap\"", "openai, anthropic"],
        ),
        ("providers: { mine: { api: openai } }", ["providers.mine.endpoint", "missing"]),
        ("providers: { mine: { endpoint: 'http://x/' } }", ["providers.mine.api", "missing"]),
        ("providers: { openai: { endpoint: 'ftp://x' } }", ["openai.endpoint is \"ftp://x\"", "https://"]),
        ("providers: { openai: { timeoutMs: 1 } }", ["openai.timeoutMs is 1", "from 100"]),
        ("providers: { Mine: { api: openai } }", ["providers.\"Mine\"", "small letters"]),
        ("sessions: {}", ["sessions is no setting", "docs/configuration.md"]),
        ("limits: { turns: }", ["limits.turns is null", "whole numbers"]),
        ("- a", ["config.yaml", "keys and values"]),
        ("limits: 5", ["limits is 5: it is a table with the keys", "callsPerSecond, turns"]),
        ("limits: [1]", ["limits is [1]: it is a table", "spawnChildren"]),
        ("session: on", ["session is true: it is a table", "writeLock.staleMs"]),
        ("session: { writeLock: 5 }", ["session.writeLock is 5: it is a table", "staleMs, "]),
        ("session: { writeLock: { compat: true } }", ["writeLock.compat is true", "keys fsSafe, openclaw"]),
        ("limits: [\n", ["config.yaml is not readable as YAML", "line"]),
    ] {
        let says = problem(text);
        assert!(parts.iter().all(|part| says.contains(part)), "{text}: {says}");
    }
    let problems = read_text("", &[("MOORLINE_LIMITS_TURNS", "-3")]).problems;
    assert_eq!(
        problems[0].to_string(),
        "MOORLINE_LIMITS_TURNS is \"-3\": allowed are whole numbers from 1 to 4096"
    );
}

#[test]
fn a_problem_is_said_of_the_place_where_it_stands() {
    let file = Path::new("/state/config.yaml");
    let said = |text: &str, environment: &[(&str, &str)]| said(&read_text(text, environment).problems, file);
    let range = "allowed are whole numbers from 1 to 4096";
    assert_eq!(
        said("", &[("MOORLINE_LIMITS_TURNS", "abc")]),
        format!("the environment: MOORLINE_LIMITS_TURNS is \"abc\": {range}")
    );
    let both = said("limits: { turns: 0 }", &[("MOORLINE_LIMITS_TURNS", "abc"), ("MOORLINE_MODELS", "x")]);
    let parts = both.split_once("; the environment: ").unwrap();
    assert_eq!(parts.0, format!("/state/config.yaml: limits.turns is 0: {range}"));
    assert!(parts.1.contains("TURNS is \"abc\"") && parts.1.contains("; MOORLINE_MODELS[0] is"), "{both}");
    for (name, value) in [("MOORLINE_SESSION_WRITE_LOCK_STALE_MS", "-1"), ("MOORLINE_LOG_FORMAT", "xml")] {
        let says = said("", &[(name, value)]);
        assert!(says.starts_with(&format!("the environment: {name} is \"{value}\": allowed are")), "{says}");
    }
    let secret = "sk-live-0123456789abcdef0123456789abcdef";
    assert!(!said("", &[("MOORLINE_LIMITS_TURNS", secret)]).contains("0123456789"));
}

#[test]
fn an_unknown_key_comes_with_the_nearest_known_one() {
    for (text, near) in [
        ("limits: { turn: 3 }", "limits.turns"),
        ("limit: { turns: 3 }", "limits.turns"),
        ("model: [openai/x]", "models"),
        ("session: { writeLock: { stalems: 1 } }", "session.writeLock.staleMs"),
        ("sesion: { writeLock: { staleMs: 1 } }", "session.writeLock.staleMs"),
        ("models: [{ model: openai/x, windows: 5 }]", "window"),
        ("models: [opnai/x]", "openai"),
        ("providers: { openai: { endpont: 'http://x/' } }", "endpoint"),
    ] {
        let says = problem(text);
        assert!(says.contains(&format!("did you mean {near}?")), "{text}: {says}");
    }
    assert!(problem("colour: red").contains("docs/configuration.md"));
}

#[test]
fn every_problem_is_found_at_once() {
    let problems = read_text("limits: { turns: 0, pingPong: 99 }\nmodels: [x]\ncolour: red\n", &[]).problems;
    assert_eq!(problems.len(), 4, "{problems:?}");
}

#[test]
fn a_key_in_the_file_is_refused_and_shown_nowhere() {
    let secret = "sk-live-0123456789abcdef0123456789abcdef";
    for text in [
        format!("providers: {{ openai: {{ apiKey: {secret} }} }}"),
        format!("providers: {{ openai: {{ api_key: {secret} }} }}"),
        format!("providers: {{ openai: {{ apiKeyEnv: {secret} }} }}"),
        format!("providers: {{ openai: {{ endpoint: 'https://me:{secret}@host/v1/' }} }}"),
        format!("providers: {{ openai: {{ apiKeyEnv: [{secret} }} }}"),
        format!("models: [{{ model: openai/x, key: {secret} }}]"),
        format!("apiKey: {secret}"),
    ] {
        let says = problem(&text);
        assert!(!says.contains("0123456789"), "{says}");
    }
    let says = problem(&format!("providers: {{ openai: {{ apiKey: {secret} }} }}"));
    assert!(says.contains("apiKeyEnv"), "{says}");
}

#[test]
fn models_are_read_in_order_with_their_providers() {
    let text = "
models:
  - anthropic/claude-sonnet-4-5
  - { model: here/org/qwen3, window: 32768, stream: true }
providers:
  here: { api: openai, endpoint: 'http://127.0.0.1:8000/v1' }
  openai: { endpoint: 'https://proxy.example/v1/' }
";
    let Read { settings, problems } = read_text(text, &[]);
    assert_eq!(problems, []);
    let [first, second] = &settings.models[..] else { panic!("{:?}", settings.models) };
    assert_eq!((first.provider.api, first.model.as_str()), (Api::Anthropic, "claude-sonnet-4-5"));
    assert_eq!(first.provider.key_env.as_deref(), Some("ANTHROPIC_API_KEY"));
    assert_eq!((second.model.as_str(), second.window, second.stream), ("org/qwen3", Some(32768), true));
    assert_eq!(second.provider.endpoint, "http://127.0.0.1:8000/v1/");
    assert_eq!(second.provider.key_env, None);
    let Read { settings, problems } = read_text(text, &[("MOORLINE_MODELS", "openai/gpt-5, ollama/llama3")]);
    assert_eq!(problems, []);
    let names: Vec<_> =
        settings.models.iter().map(|one| format!("{}/{}", one.provider.name, one.model)).collect();
    assert_eq!(names, ["openai/gpt-5", "ollama/llama3"]);
    let redirected = &settings.models[0].provider;
    assert_eq!(redirected.key_env, None, "the key of one company does not go to another's address");
}
