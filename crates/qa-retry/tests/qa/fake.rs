//! A gateway in memory: enough of sessions, locks, children and announces to run the scenarios of this crate.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use moorline_qa_retry::{Contention, Gateway, Hold};
use moorline_taxonomy::{Code, Coordination, Local, Wire};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// How long a turn waits for a lock.
const ACQUIRE: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
pub(crate) struct Script {
    agents: BTreeMap<String, Vec<Rule>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rule {
    when: String,
    delay_ms: u64,
    tools: Vec<Tool>,
    fail: Option<Fail>,
    reply: String,
}

#[derive(Clone, Deserialize)]
struct Tool {
    name: String,
    arguments: Value,
}

#[derive(Clone, Deserialize)]
struct Fail {
    code: Code,
    times: u32,
}

#[derive(Default)]
struct World {
    transcripts: HashMap<String, Vec<Value>>,
    held_until: HashMap<String, Instant>,
    runs: HashMap<String, Result<String, Wire>>,
    by_key: HashMap<String, Value>,
    announces: Vec<Value>,
    number: u64,
}

#[derive(Clone)]
pub(crate) struct Fake {
    script: Arc<Script>,
    world: Arc<Mutex<World>>,
}

impl Fake {
    pub(crate) fn new(script: &str) -> Self {
        Self { script: Arc::new(serde_saphyr::from_str(script).unwrap()), world: Arc::default() }
    }

    fn with<T>(&self, use_world: impl FnOnce(&mut World) -> T) -> T {
        use_world(&mut self.world.lock().unwrap())
    }

    fn next_id(&self, what: &str) -> String {
        self.with(|world| {
            world.number += 1;
            format!("{what}{}", world.number)
        })
    }

    /// A turn: the lock, the message, the model, the reply.
    async fn turn(&self, key: &str, text: &str) -> Result<String, Wire> {
        let until = self.with(|world| world.held_until.get(key).copied());
        if let Some(until) = until.filter(|until| *until > Instant::now()) {
            let deadline = Instant::now() + ACQUIRE;
            tokio::time::sleep_until(until.min(deadline)).await;
            if until > deadline {
                return Err(Wire::new(Coordination::LockTimeout, "another owner holds the lock"));
            }
        }
        self.append(key, "user", text, &[]);
        let agent = key.split(':').nth(1).unwrap();
        let rules = self.script.agents.get(agent).or_else(|| self.script.agents.get("*")).unwrap();
        let rule = rules.iter().find(|rule| text.contains(&rule.when)).unwrap();
        sleep(Duration::from_millis(rule.delay_ms)).await;
        // A model that fails a few times is tried again by the gateway itself.
        if let Some(fail) = rule.fail.as_ref().filter(|fail| fail.times > 2) {
            return Err(Wire::new(fail.code, "session file locked (timeout 60000ms): quoted by a provider"));
        }
        for tool in &rule.tools {
            self.append(key, "assistant", "", &[&tool.name]);
            assert_eq!(tool.name, "sessions_spawn");
            let task = tool.arguments["task"].as_str().unwrap().replace("{message}", text);
            self.spawn(key, tool.arguments["agent"].as_str().unwrap(), &task).await;
        }
        let reply = rule.reply.replace("{message}", text);
        self.append(key, "assistant", &reply, &[]);
        Ok(reply)
    }

    fn append(&self, key: &str, role: &str, text: &str, tools: &[&str]) {
        let calls: Vec<_> = tools.iter().map(|name| json!({ "name": name })).collect();
        let message = json!({ "role": role, "text": text, "toolCalls": calls, "id": "x" });
        self.with(|world| world.transcripts.entry(key.to_owned()).or_default().push(message));
    }

    async fn spawn(&self, requester: &str, agent: &str, task: &str) -> Value {
        let (run_id, child) = (self.next_id("run"), format!("agent:{agent}:{}", self.next_id("child")));
        let done = Box::pin(self.turn(&child, task)).await;
        let result = done.clone().unwrap();
        self.with(|world| {
            world.runs.insert(run_id.clone(), done);
            let row = json!({ "key": run_id, "requester": requester, "state": "prepared", "text": result });
            world.announces.push(row);
        });
        json!({ "runId": run_id, "childSessionKey": child, "accepted": true })
    }

    /// Delivers what can be delivered, one for each look.
    async fn deliver(&self) {
        let due = self.with(|world| world.announces.iter().position(|row| row["state"] == "prepared"));
        let Some(index) = due else { return };
        let row = self.with(|world| world.announces[index].clone());
        let text = format!("sub-agent result: {}", row["text"].as_str().unwrap());
        if Box::pin(self.turn(row["requester"].as_str().unwrap(), &text)).await.is_ok() {
            self.with(|world| world.announces[index]["state"] = json!("delivered"));
        }
    }
}

#[async_trait]
impl Gateway for Fake {
    async fn call(&self, method: &str, params: Value, _: Duration) -> Result<Value, Wire> {
        let text = |name: &str| params[name].as_str().unwrap_or_default().to_owned();
        let known = self.with(|world| world.by_key.get(&text("idempotencyKey")).cloned());
        if let Some(answer) = known {
            return Ok(answer);
        }
        let answer = match method {
            "sessions.create" => json!({ "key": text("key"), "created": true }),
            "sessions.history" => {
                let messages = self.with(|world| world.transcripts.get(&text("key")).cloned());
                json!({ "messages": messages.unwrap_or_default() })
            }
            "sessions.list" => {
                let keys: Vec<_> = self.with(|world| world.transcripts.keys().cloned().collect());
                json!({ "sessions": keys.iter().map(|key| json!({ "key": key, "turns": 0 })).collect::<Vec<_>>() })
            }
            "sessions.send" => {
                let done = self.turn(&text("to"), &text("message")).await;
                let reply = done.as_ref().ok();
                if let Some(reply) = reply.filter(|_| params.get("from").is_some()) {
                    self.append(&text("from"), "user", reply, &[]);
                }
                json!({
                    "sendId": "s", "runId": self.next_id("run"), "accepted": true,
                    "delivered": done.is_ok(), "replied": done.is_ok(), "reply": reply, "error": done.as_ref().err(),
                })
            }
            "sessions.spawn" => self.spawn(&text("requester"), &text("agent"), &text("task")).await,
            "agent" => {
                let done = self.turn(&text("sessionKey"), &text("message")).await;
                let outcome = if done.is_ok() { "replied" } else { "failed" };
                json!({ "runId": self.next_id("run"), "outcome": outcome, "reply": done.as_ref().ok(), "error": done.as_ref().err() })
            }
            "agent.wait" => {
                let done = self.with(|world| world.runs.get(&text("runId")).cloned()).unwrap();
                json!({ "runId": text("runId"), "outcome": "replied", "reply": done.as_ref().ok(), "error": done.as_ref().err() })
            }
            "announce.list" => {
                self.deliver().await;
                json!({ "rows": self.with(|world| world.announces.clone()) })
            }
            other => return Err(Wire::new(Local::Unclassified, format!("no method {other}"))),
        };
        // This one is the strict kind: it remembers failed calls too.
        if let Some(key) = params.get("idempotencyKey").and_then(Value::as_str) {
            self.with(|world| world.by_key.insert(key.to_owned(), answer.clone()));
        }
        Ok(answer)
    }
}

/// Lets go when dropped.
struct Release(Fake, String);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.with(|world| world.held_until.remove(&self.1));
    }
}

#[async_trait]
impl Contention for Fake {
    async fn hold(&self, key: &str, duration: Duration) -> Result<Hold, Wire> {
        self.with(|world| world.held_until.insert(key.to_owned(), Instant::now() + duration));
        Ok(Hold::new(Release(self.clone(), key.to_owned())))
    }
}
