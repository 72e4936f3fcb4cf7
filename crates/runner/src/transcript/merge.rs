//! May a run go on after others added entries? A pure function over the lines that were added.
//!
//! | added entry | verdict |
//! |---|---|
//! | not readable, blank | skipped |
//! | written by this run | merged; a continuation of our leaf becomes our leaf |
//! | delivery mirror, announcement, anything marked as a side entry | merged beside ours |
//! | `custom`, `label`, `session_info`, a repeated header | merged beside ours: they are read over the whole file |
//! | settings, compaction, kinds we do not know, as a continuation of our leaf | merged; our next entry follows it, so that the branch keeps it |
//! | the same, elsewhere in the tree | merged beside ours, except a branch summary: the session went elsewhere |
//! | `leaf` that stays where we are, or points to a side entry's place | merged |
//! | `leaf` that moves elsewhere | takeover |
//! | a message or custom message of anybody else | takeover |
//!
//! The option not taken is to count every change as a takeover: the programs around a run write metadata all the time,
//! and false takeovers ended healthy turns (<https://github.com/openclaw/openclaw/issues/86572>).

use super::{
    entry::{Entry, Kind, Origin},
    format::{Merged, Tip},
};

pub(super) struct Merging<'a> {
    run: &'a str,
    tip: Tip,
    news: Vec<String>,
}

impl<'a> Merging<'a> {
    pub(super) fn new(run: &'a str, tip: Tip) -> Self {
        Self { run, tip, news: Vec::new() }
    }

    /// Looks at one more line; says what was found when it ends the run.
    pub(super) fn add(&mut self, line: &[u8]) -> Option<String> {
        if line.trim_ascii().is_empty() {
            return None;
        }
        let Some(entry) = Entry::read(line) else {
            tracing::warn!(bytes = line.len(), "an added line is not readable; it is skipped");
            return None;
        };
        match entry.origin(self.run) {
            Origin::Own => self.follow(&entry),
            Origin::Mirror => {}
            Origin::Announce => self.news.push(entry.raw().to_owned()),
            Origin::Foreign if entry.side => {}
            Origin::Foreign => return Some(format!("a message of another writer ({})", role(&entry))),
            Origin::Metadata => return self.metadata(&entry),
        }
        None
    }

    fn metadata(&mut self, entry: &Entry) -> Option<String> {
        match entry.kind() {
            Kind::Header
            | Kind::Custom
            | Kind::Label
            | Kind::SessionInfo
            | Kind::Message
            | Kind::CustomMessage => None,
            Kind::Setting | Kind::Compaction | Kind::Other => {
                self.follow(entry);
                None
            }
            Kind::BranchSummary if entry.side => None,
            Kind::BranchSummary => Some("the session was moved to another branch".to_owned()),
            Kind::Leaf => {
                let value = entry.value();
                let target = value.get("targetId").and_then(serde_json::Value::as_str);
                let stays = entry.side || target == self.tip.leaf.as_deref();
                (!stays).then(|| "the active leaf was moved".to_owned())
            }
        }
    }

    /// Steps onto an entry that continues our leaf.
    fn follow(&mut self, entry: &Entry) {
        let continues = !entry.side && (self.tip.linear || entry.parent_id() == self.tip.leaf.as_deref());
        if continues && !self.tip.linear && entry.id().is_some() {
            self.tip.leaf = entry.id().map(str::to_owned);
        }
    }

    pub(super) fn accepted(self) -> Merged {
        Merged::Accepted { tip: self.tip, news: self.news }
    }
}

fn role(entry: &Entry) -> &str {
    match entry.kind() {
        Kind::Message => match entry.role() {
            Some("user") => "user message",
            Some("assistant") => "assistant message",
            Some("toolResult") => "tool result",
            Some(_) | None => "message",
        },
        Kind::CustomMessage => "custom message",
        Kind::Header
        | Kind::Custom
        | Kind::Label
        | Kind::SessionInfo
        | Kind::Leaf
        | Kind::Compaction
        | Kind::BranchSummary
        | Kind::Setting
        | Kind::Other => "entry",
    }
}
