//! The engine from inside: what no caller sees.

use moorline_announce::Key;
use serde_json::json;

use super::{Engine, to_session::OnTheWay};
use crate::{
    events::Event,
    model::{Models, script::Script},
    settings,
    state_dir::StateDir,
};

async fn start(dir: &std::path::Path) -> std::sync::Arc<Engine> {
    let state = StateDir::open(dir).unwrap();
    let settings = settings::load(&state, moorline_lock_core::OnStale::Report).unwrap();
    Engine::start(state, Models::scripted(Script::built_in().unwrap()), &settings).await.unwrap()
}

#[tokio::test]
async fn a_key_that_nobody_gave_is_not_remembered_before_or_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let send = |key: Option<&str>| {
        let params = json!({"to": "agent:main:desk", "message": "hello", "idempotencyKey": key});
        serde_json::from_value(params).unwrap()
    };
    let mut ids = Vec::new();
    for restarted in [false, true] {
        let engine = start(dir.path()).await;
        if !restarted {
            for key in [None, Some("mine")] {
                let answer = engine.send(send(key), false).await.unwrap();
                assert_eq!(answer["replied"], true);
                ids.push(answer["sendId"].as_str().unwrap().to_owned());
            }
        }
        let known: Vec<_> = ids.iter().map(|id| engine.keys.knows(id)).collect();
        assert_eq!(known, [false, true], "restarted: {restarted}");
        engine.shut_down().await;
    }
}

#[test]
fn a_send_of_an_older_event_file_is_known_by_its_key() {
    let line = json!({"event": "send_accepted", "sendId": "k", "from": null, "to": "agent:main:x", "message": "m", "maxPingPong": 5});
    assert!(matches!(
        serde_json::from_value::<Event>(line).unwrap(),
        Event::SendAccepted { generated: false, .. }
    ));
}

#[tokio::test]
async fn the_way_of_an_announce_is_forgotten_with_its_end() {
    let key = |run: &str| Key::completion("agent:main:desk", run).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let engine = start(dir.path()).await;
    let ways: &OnTheWay = &engine.announces.on_the_way;
    ways.returned(&key("delivered"));
    ways.returned(&key("other"));
    engine.note_delivered(&key("delivered"));
    assert!(!ways.knows(&key("delivered")) && ways.knows(&key("other")));
    engine.note_settled(&key("other"));
    assert!(!ways.knows(&key("other")));
    engine.shut_down().await;
}
