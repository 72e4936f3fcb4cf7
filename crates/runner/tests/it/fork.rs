//! Sessions that begin with another one's conversation.

use std::time::SystemTime;

use moorline_runner::{Message, NewSession, SessionError, fork_session, read_session};
use serde_json::{Value, json};

use crate::support::Site;

fn new(site: &Site) -> NewSession {
    NewSession {
        id: "child".into(),
        session_key: "agent:main:subagent:c".into(),
        cwd: site.dir.path().to_owned(),
        parent_session: Some("s1.jsonl".into()),
    }
}

fn write(site: &Site, entries: &[Value]) {
    let lines: Vec<_> = entries.iter().map(|entry| format!("{entry}\n")).collect();
    std::fs::write(&site.path, lines.concat()).unwrap();
}

fn message(id: &str, parent: &str, message: Value) -> Value {
    json!({"type": "message", "id": id, "parentId": parent, "timestamp": "2026-05-01T00:00:00.000Z", "message": message,
        "moorline": {"run": "r", "turn": "k", "as": "turn", "settled": "replied"}})
}

fn user(id: &str, parent: &str, text: &str) -> Value {
    message(id, parent, json!({"role": "user", "content": text, "idempotencyKey": text}))
}

fn says(id: &str, parent: &str, text: &str) -> Value {
    message(id, parent, json!({"role": "assistant", "content": [{"type": "text", "text": text}]}))
}

fn calls(id: &str, parent: &str, calls: &[&str]) -> Value {
    let content: Vec<_> = calls
        .iter()
        .map(|call| json!({"type": "toolCall", "id": call, "name": "t", "arguments": {}}))
        .collect();
    message(id, parent, json!({"role": "assistant", "content": content}))
}

fn result(id: &str, parent: &str, call: &str) -> Value {
    message(id, parent, json!({"role": "toolResult", "toolCallId": call, "toolName": "t", "content": "r"}))
}

async fn forked(site: &Site) -> Vec<String> {
    let to = site.dir.path().join("child.jsonl");
    let _ = std::fs::remove_file(&to);
    fork_session(&site.locks, &site.path, &to, &new(site), SystemTime::now()).await.unwrap();
    let text = std::fs::read_to_string(&to).unwrap();
    assert!(text.starts_with("{\"type\":\"session\""), "{text}");
    assert!(!text.contains("idempotencyKey") && !text.contains("settled"), "{text}");
    read_session(&to).unwrap().messages().iter().map(Message::text).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_active_branch_is_copied_up_to_where_nothing_is_open() {
    let site = Site::new();
    let header = json!({"type": "session", "version": 3, "id": "s1", "timestamp": "2026-05-01T00:00:00.000Z", "cwd": "/"});
    let mut entries = vec![
        header,
        user("1", "", "a"),
        says("2", "1", "b"),
        says("x", "1", "another branch"),
        user("3", "2", "c"),
    ];
    write(&site, &entries);
    assert_eq!(forked(&site).await, ["a", "b", "c"]);
    // A call whose result is out: the copy ends before it, and with all results after them.
    entries.extend([calls("4", "3", &["k1", "k2"]), result("5", "4", "k1")]);
    write(&site, &entries);
    assert_eq!(forked(&site).await, ["a", "b", "c"]);
    entries.push(result("6", "5", "k2"));
    write(&site, &entries);
    assert_eq!(forked(&site).await, ["a", "b", "c", "", "r", "r"]);
}

#[tokio::test]
async fn announcements_beside_the_branch_are_copied_where_they_came() {
    let site = Site::new();
    let announce = json!({"type": "custom_message", "id": "a", "parentId": "1", "customType": "x", "content": "child done",
        "moorline": {"run": "child", "as": "announce"}});
    write(&site, &[user("1", "", "a"), announce, says("2", "1", "b")]);
    assert_eq!(forked(&site).await, ["a", "child done", "b"]);
}

#[tokio::test]
async fn nothing_said_is_nothing_copied_and_a_session_that_is_there_stays() {
    let site = Site::new();
    assert_eq!(forked(&site).await, Vec::<String>::new());
    let to = site.dir.path().join("child.jsonl");
    let again = fork_session(&site.locks, &site.path, &to, &new(&site), SystemTime::now()).await;
    assert!(matches!(again, Err(SessionError::Exists { .. })), "{again:?}");
    std::fs::create_dir(&site.path).unwrap();
    let other = site.dir.path().join("other.jsonl");
    let unreadable = fork_session(&site.locks, &site.path, &other, &new(&site), SystemTime::now()).await;
    assert!(matches!(unreadable, Err(SessionError::Read { .. })), "{unreadable:?}");
    assert!(!other.exists());
}

#[tokio::test]
async fn lists_of_the_first_generation_become_a_branch() {
    let site = Site::new();
    let entry = |role: &str, text: &str| json!({"type": "message", "timestamp": "2026-05-01T00:00:00.000Z", "message": {"role": role, "content": text}});
    let header = json!({"type": "session", "id": "s1", "timestamp": "2026-05-01T00:00:00.000Z", "cwd": "/"});
    write(&site, &[header, entry("user", "a"), entry("assistant", "b")]);
    assert_eq!(forked(&site).await, ["a", "b"]);
}
