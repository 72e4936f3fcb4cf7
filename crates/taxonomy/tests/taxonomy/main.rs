//! The taxonomy, seen from outside. One binary, one module per question.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test's helper fails the test; clippy's own exemption covers only the test functions themselves"
)]

mod corpus;
mod docs;
mod hostile;
mod policy_table;
mod properties;
mod reading;
mod shapes;
mod typed;
mod wire;
mod wrappings;

#[test]
fn a_wire_form_beside_a_message_that_quotes_a_lock_error_decides() {
    use moorline_taxonomy::{Code, Provider, foreign};
    let rpc = serde_json::json!({
        "code": -32000,
        "message": "session file locked (timeout 60000ms): pid=1 alive=true ageMs=5 /x.jsonl.lock",
        "data": {"code": "provider.rate_limit", "domain": "provider", "message": "429", "effect": "none", "causes": []},
    });
    assert_eq!(foreign::read(&rpc).code(), Some(Code::Provider(Provider::RateLimit)));
}
