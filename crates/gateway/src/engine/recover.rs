//! Going on after a gateway that was killed: every promise in its event files is kept by the next one.
//!
//! What was promised and not settled is driven again with the same message key. The runner answers a turn that was
//! answered from its transcript, goes on with one that was not, and never writes the message twice; the outbox knows a
//! result by its child's run. So driving a promise again is safe wherever the old gateway died. The option not taken, to
//! remember how far each promise had come, would be one more thing that a crash can tear.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
};

use moorline_announce::Filter;
use moorline_taxonomy::Cancelled;

use super::{Engine, Incoming, SendParams, keys::Asked, run_turn::Start, sends::Asking};
use crate::{
    events::{self, Event},
    session_key::SessionKey,
};

/// Promises that are not settled, each with the place of the file that holds it.
///
/// What is settled is taken off whatever order the lines are read in: the clock that names the files may have been set back
/// between two gateways.
#[derive(Debug, Default)]
struct Owed {
    sends: BTreeMap<String, (usize, SendParams)>,
    spawns: BTreeMap<String, (usize, SessionKey, SessionKey, String)>,
    /// Places of children whose result is kept in the outbox.
    kept: BTreeSet<usize>,
    /// Runs of gateways that never ended.
    runs: BTreeSet<String>,
    /// Settled before its promise was read.
    ended: BTreeSet<String>,
    settled: BTreeSet<String>,
    /// Keys of results that were kept, with their child's run, and keys of those that arrived.
    announced: BTreeMap<String, String>,
    delivered: BTreeSet<String>,
}

impl Owed {
    /// Takes a line of the file at `place` into account.
    fn take(&mut self, place: usize, event: &Event) {
        match event {
            Event::RunAccepted { run_id, recovered: true, .. } => {
                if !self.ended.remove(run_id) {
                    self.runs.insert(run_id.clone());
                }
            }
            Event::RunEnded { run_id, .. } => {
                if !self.runs.remove(run_id) {
                    self.ended.insert(run_id.clone());
                }
            }
            Event::SendAccepted { send_id, from, to, message, max_ping_pong, generated } => {
                let params = SendParams {
                    from: from.clone(),
                    to: to.clone(),
                    message: message.clone(),
                    timeout_ms: Some(0),
                    idempotency_key: (!generated).then(|| send_id.clone()),
                    max_ping_pong: Some(*max_ping_pong),
                };
                if !self.settled.remove(send_id) {
                    self.sends.insert(send_id.clone(), (place, params));
                }
            }
            Event::SendReplied { send_id } | Event::SendFailed { send_id, .. } => {
                if self.sends.remove(send_id).is_none() {
                    self.settled.insert(send_id.clone());
                }
            }
            Event::SpawnAccepted { run_id, requester, child, task, .. } => {
                let child = (place, requester.clone(), child.clone(), task.clone());
                self.spawns.insert(run_id.clone(), child);
            }
            Event::AnnouncePrepared { key, child_run_id, .. } => {
                self.announced.insert(key.clone(), child_run_id.clone());
            }
            Event::AnnounceDelivered { key } | Event::AnnounceSettled { key } => {
                self.delivered.insert(key.clone());
            }
            Event::RunAccepted { recovered: false, .. }
            | Event::RunRequeued { .. }
            | Event::LockStale { .. }
            | Event::LockReclaimed { .. }
            | Event::LockHeld { .. } => {}
        }
    }

    /// Takes off the children whose result arrived, once every line was read.
    fn finish(&mut self) {
        for (_, run_id) in self.announced.iter().filter(|(key, _)| self.delivered.contains(*key)) {
            self.spawns.remove(run_id);
        }
    }

    /// The places of the files that hold a promise.
    fn places(&self) -> BTreeSet<usize> {
        let sends = self.sends.values().map(|(place, _)| *place);
        let spawns = self.spawns.values().map(|(place, ..)| *place);
        sends.chain(spawns).chain(self.kept.iter().copied()).collect()
    }
}

impl Engine {
    /// Drives again what an earlier gateway of this state directory left open, and lets go of the files that owe nothing.
    /// Called once, before anything is admitted.
    pub(super) async fn recover(self: &Arc<Self>) -> anyhow::Result<()> {
        let files = events::files(&self.state.events())?;
        let mut owed = Owed::default();
        let mut keep = BTreeSet::new();
        for (place, file) in files.iter().enumerate() {
            let recorded = file.read()?;
            if recorded.broken > 0 {
                let lines = recorded.broken;
                tracing::warn!(
                    lines,
                    ?file,
                    "event lines could not be read; promises in them cannot be kept"
                );
                keep.insert(place);
            }
            for line in &recorded.lines {
                self.know(&line.event);
                owed.take(place, &line.event);
            }
        }
        owed.finish();
        self.take_off_kept(&mut owed).await?;
        keep.extend(owed.places());
        for run_id in &owed.runs {
            self.events.write(Event::RunEnded {
                run_id: run_id.clone(),
                outcome: "interrupted".to_owned(),
                code: Some(moorline_taxonomy::Code::from(Cancelled::Shutdown).to_string()),
            })?;
        }
        if !owed.sends.is_empty() || !owed.spawns.is_empty() {
            tracing::info!(
                sends = owed.sends.len(),
                spawns = owed.spawns.len(),
                "going on with what was promised before"
            );
        }
        // What is driven again is settled in the file of this process; the next start lets go of the old one.
        match self.events.retire(&files, |place| keep.contains(&place)) {
            Ok(gone) => tracing::debug!(gone, kept = files.len() - gone, "event files"),
            Err(error) => tracing::warn!(%error, "old event files could not be removed"),
        }
        for (send_id, (_, params)) in owed.sends {
            let ping_pong = params.max_ping_pong.unwrap_or(0);
            let asking = Asking { ping_pong, in_turn: false, waits: false, handed: None };
            if let Err(error) = self.drive_send(params, &send_id, asking, None) {
                tracing::error!(send_id, %error, "a promised send could not be driven again");
            }
        }
        for (run_id, (_, requester, child, task)) in owed.spawns {
            self.open.spawns_accepted.fetch_add(1, Ordering::Relaxed);
            let incoming =
                Incoming { text: task, key: run_id.clone(), from: Some(requester.clone()), session: child };
            let place = self.lanes.place_owed(&incoming.session);
            match self.begin(Start { parent: Some(requester.clone()), ..Start::new(place, incoming) }) {
                Ok(run) => {
                    let engine = Arc::clone(self);
                    self.tasks.run(async move { engine.announce_when_done(requester, &run, &run_id).await });
                }
                Err(error) => tracing::error!(run_id, %error, "a promised child could not be driven again"),
            }
        }
        Ok(())
    }

    /// Takes off the children whose result is in the outbox, however their turn ended: it is delivered from there, and the
    /// child's model is not asked again. The file that promised it stays until the result is settled.
    async fn take_off_kept(&self, owed: &mut Owed) -> anyhow::Result<()> {
        for row in self.announcer().list(&Filter::default()).await? {
            if row.key.is_completion() && owed.spawns.contains_key(row.key.child_run()) {
                self.note_end(&row);
                owed.kept.extend(owed.spawns.remove(row.key.child_run()).map(|(place, ..)| place));
            }
        }
        Ok(())
    }
}

impl Engine {
    /// Remembers the idempotency key of what an earlier gateway accepted.
    fn know(&self, event: &Event) {
        if let Event::SendAccepted { send_id, from, to, message, generated: false, .. } = event {
            let asked = Asked::message(from.as_ref(), to, message);
            self.keys.remember(send_id, asked, None, None);
        } else if let Event::SpawnAccepted {
            run_id,
            requester,
            child,
            task,
            fork,
            idempotency_key: Some(key),
        } = event
        {
            let asked = Asked::child(requester, child.agent(), task, *fork);
            self.keys.remember(key, asked, Some(run_id), Some(child));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_settled_is_owed() {
        let key: SessionKey = "agent:main:x".parse().unwrap();
        let send = |id: &str| Event::SendAccepted {
            send_id: id.into(),
            from: None,
            to: key.clone(),
            message: "m".into(),
            max_ping_pong: 0,
            generated: false,
        };
        let spawn = |id: &str| Event::SpawnAccepted {
            fork: false,
            run_id: id.into(),
            requester: key.clone(),
            child: key.clone(),
            task: "t".into(),
            idempotency_key: None,
        };
        let prepared = |id: &str| Event::AnnouncePrepared {
            key: format!("k/{id}"),
            requester: key.clone(),
            child_run_id: id.into(),
        };
        let run = |id: &str, recovered| Event::RunAccepted {
            run_id: id.into(),
            session_key: key.clone(),
            message_key: id.into(),
            recovered,
        };
        let events = [
            send("replied"),
            send("failed"),
            send("open"),
            Event::SendReplied { send_id: "replied".into() },
            Event::SendFailed { send_id: "failed".into(), code: "local.bug".into() },
            spawn("delivered"),
            spawn("prepared"),
            spawn("running"),
            prepared("delivered"),
            prepared("prepared"),
            Event::AnnounceDelivered { key: "k/delivered".into() },
            run("ended", true),
            run("cut", true),
            run("not ours", false),
            Event::RunEnded { run_id: "ended".into(), outcome: "replied".into(), code: None },
        ];
        let read = |order: &mut dyn Iterator<Item = (usize, &Event)>| {
            let mut owed = Owed::default();
            order.for_each(|(place, event)| owed.take(place, event));
            owed.finish();
            assert_eq!(owed.sends.keys().collect::<Vec<_>>(), ["open"]);
            assert_eq!(owed.spawns.keys().collect::<Vec<_>>(), ["prepared", "running"]);
            assert_eq!(owed.runs.iter().collect::<Vec<_>>(), ["cut"]);
            assert_eq!(owed.places().into_iter().collect::<Vec<_>>(), [2, 6, 7]);
        };
        read(&mut events.iter().enumerate());
        // A clock that was set back turns the order of files around.
        let mut turned: Vec<_> = events.iter().enumerate().collect();
        turned.reverse();
        read(&mut turned.into_iter());
    }
}
