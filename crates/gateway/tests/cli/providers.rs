//! The program with real providers: a server on loopback, the key in the environment, and every log there is.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{code, json, moorline, until};

/// What must be in no log and no file.
const KEY: &str = "key-0d4f6a81c3b24795e2f8";
const PROMPT: &str = "the heron waits until the tide has turned";

/// Answers chat completions: the first with 429, the others with a reply. Ends with the test's process.
fn provider() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while reader.read_line(&mut head).unwrap_or(0) > 2 {
                let line = head.lines().next_back().unwrap_or_default().to_lowercase();
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let request: Value = serde_json::from_slice(&body).unwrap_or_default();
            assert!(head.contains(&format!("Bearer {KEY}")), "the key is where it belongs");
            let (status, answer) = if request["model"] == "limited" {
                let says = format!("Rate limit for {KEY} reached: {}", request["messages"]);
                ("429 Too Many Requests", json!({"error": {"code": "rate_limit_exceeded", "message": says}}))
            } else {
                let message = json!({"role": "assistant", "content": "from the provider"});
                (
                    "200 OK",
                    json!({"model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}),
                )
            };
            let answer = answer.to_string();
            let length = answer.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}"
            );
        }
    });
    address
}

fn configure(state: &Path, address: SocketAddr) {
    std::fs::create_dir_all(state).unwrap();
    let provider = format!("{{ api: openai, endpoint: 'http://{address}/v1', apiKeyEnv: HERE_KEY }}");
    let config =
        format!("models: [here/limited, there/good]\nproviders:\n  here: {provider}\n  there: {provider}\n");
    std::fs::write(state.join("config.yaml"), config).unwrap();
}

/// Ends the gateway with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn with_key(dir: &Path) -> Command {
    let mut command = moorline(dir);
    command.env("HERE_KEY", KEY).env("MOORLINE_LOG", "trace,genai=trace,genai::webc=trace,hyper=trace");
    command
}

#[test]
fn turns_go_to_the_configured_models_and_no_log_shows_key_or_prompt() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    configure(&state, provider());
    let logs = std::fs::File::create(dir.path().join("log")).unwrap();
    let mut serve = with_key(dir.path());
    serve.args(["serve", "--port", "0", "--state", "state"]).stdout(Stdio::null()).stderr(logs);
    let _serving = Serving(serve.spawn().unwrap());
    until("the gateway", || state.join("gateway.json").exists());
    let params = json!({"sessionKey": "agent:main:x", "message": PROMPT}).to_string();
    let output =
        moorline(dir.path()).args(["call", "agent", &params, "--json", "--state", "state"]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    let answer = json(&output.stdout);
    assert_eq!(answer["reply"], "from the provider", "{answer:#}");
    // A process of its own goes the same way, and knows from the directory what cools.
    let args = ["agent", "--session", "agent:main:y", "--message", PROMPT, "--json", "--state", "state"];
    let output = with_key(dir.path()).args(args).output().unwrap();
    assert_eq!(json(&output.stdout)["reply"], "from the provider");
    let logs =
        std::fs::read_to_string(dir.path().join("log")).unwrap() + &String::from_utf8_lossy(&output.stderr);
    assert!(logs.contains("moorline"), "there are logs: {logs}");
    for secret in [KEY, "the heron waits"] {
        let line = logs.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "a log shows {secret}");
    }
    let files =
        std::fs::read_dir(&state).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(KEY.len()).any(|part| part == KEY.as_bytes()), "{}", file.display());
    }
}

#[test]
fn a_gateway_without_its_key_does_not_start_and_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    configure(&state, SocketAddr::from(([127, 0, 0, 1], 9)));
    let output = moorline(dir.path()).args(["serve", "--port", "0", "--state", "state"]).output().unwrap();
    assert_eq!(code(&output), 78);
    assert!(String::from_utf8_lossy(&output.stderr).contains("HERE_KEY is not set"));
}

#[test]
fn a_cooldown_file_that_cannot_be_read_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    configure(&state, SocketAddr::from(([127, 0, 0, 1], 9)));
    std::fs::write(state.join("cooldowns.sqlite"), "x".repeat(4096)).unwrap();
    let output = with_key(dir.path()).args(["serve", "--port", "0", "--state", "state"]).output().unwrap();
    let says = String::from_utf8_lossy(&output.stderr);
    assert_eq!(code(&output), 65, "{says}");
    assert!(says.contains("state/cooldowns.sqlite cannot be read") && says.contains("remove it"), "{says}");
}

/// The proxy of another project, with a model that it plays itself.
#[test]
#[ignore = "needs `litellm[proxy]` of PyPI on the PATH, and some ten seconds"]
fn a_litellm_proxy_answers_as_a_provider() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    std::fs::create_dir_all(&state).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // JSON is YAML.
    let mock = |name: &str, answer: Value| json!({"model_name": name, "litellm_params": {"model": format!("openai/{name}"), "api_key": "none", "mock_response": answer}});
    let config = json!({
        "model_list": [mock("limited", json!("litellm.RateLimitError")), mock("good", json!("from the proxy"))],
        "litellm_settings": {"num_retries": 0, "telemetry": false},
        "router_settings": {"num_retries": 0, "disable_cooldowns": true},
        "general_settings": {"master_key": format!("sk-{KEY}")},
    });
    std::fs::write(dir.path().join("litellm.yaml"), config.to_string()).unwrap();
    let mut proxy = Command::new("litellm");
    proxy
        .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--config"])
        .arg(dir.path().join("litellm.yaml"));
    let _proxy = Serving(proxy.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    for _ in 0..180 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    let provider = format!("{{ api: openai, endpoint: 'http://127.0.0.1:{port}/v1', apiKeyEnv: HERE_KEY }}");
    let config = format!(
        "models: [litellm/limited, {{ model: good/good, stream: true }}]\nproviders:\n  litellm: {provider}\n  good: {provider}\n"
    );
    std::fs::write(state.join("config.yaml"), config).unwrap();
    let agent = |key: &str| {
        let args = ["agent", "--session", "agent:main:x", "--message", "hello", "--json", "--state", "state"];
        moorline(dir.path()).args(args).env("HERE_KEY", key).output().unwrap()
    };
    let output = agent(&format!("sk-{KEY}"));
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(json(&output.stdout)["reply"], "from the proxy");
    // Without a database the proxy cannot say that a key is wrong; what it says has a class all the same.
    let output = agent("sk-wrong-key-of-somebody");
    let error = json(&output.stderr);
    assert_eq!(code(&output), 69, "{error:#}");
    assert!(error["code"].as_str().unwrap().starts_with("provider."), "{error:#}");
    assert!(!error.to_string().contains("sk-wrong"), "{error:#}");
}
