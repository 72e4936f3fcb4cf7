//! The script of docs/models.md, as a reader would try it.

use serde_json::{Value, json};

use crate::{code, json, running::Gateway, until};

/// The first block of the page.
fn script() -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/models.md");
    let page = std::fs::read_to_string(page).unwrap();
    let block = page.split("```yaml\n").nth(1).unwrap();
    block.split("```").next().unwrap().to_owned()
}

fn send(gateway: &Gateway, message: &str) -> Value {
    let to = json!({"to": "agent:main:desk", "message": message, "timeoutMs": 20000});
    gateway.call("sessions.send", to)
}

#[test]
fn the_example_of_the_page_does_what_the_page_says() {
    let gateway = Gateway::start(Some(&script()));
    let sent = send(&gateway, "look it up");
    assert!(sent["reply"].as_str().unwrap().starts_with("review says: "), "{sent}");
    for word in ["provider.overloaded", "", ""] {
        let sent = send(&gateway, "slowly");
        assert_eq!(sent["error"]["code"].as_str().unwrap_or_default(), word);
        assert_eq!(sent["replied"], word.is_empty(), "{sent}");
    }
}

#[test]
fn a_process_of_its_own_asks_once_and_the_answer_is_not_asked_again() {
    let gateway = Gateway::start(Some(&script()));
    let agent = |message: &str| {
        let args = ["agent", "--json", "--session", "agent:main:own", "--script", "script.yaml"];
        gateway.run(&[&args[..], &["--message", message]].concat())
    };
    let looked = agent("look it up");
    assert_eq!(code(&looked), 0, "{looked:?}");
    assert!(json(&looked.stdout)["reply"].as_str().unwrap().starts_with("review says: "), "{looked:?}");
    until("the sends to be settled", || {
        let health = gateway.call("health", json!({}));
        health["sends"]["open"] == 0 && health["lanes"]["turns"] == 0
    });
    let asked = gateway.call("sessions.history", json!({"key": "agent:review:desk"}));
    let asked = asked["messages"].as_array().unwrap().iter().filter(|message| message["role"] == "user");
    assert_eq!(asked.count(), 1);
    for _ in 0..2 {
        let failed = agent("slowly");
        assert_eq!((code(&failed), &json(&failed.stderr)["code"]), (69, &json!("provider.overloaded")));
    }
}
