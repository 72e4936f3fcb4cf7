//! Runs that the gateway knows of: which has its session's turn, how they ended, who waits for them, and how they are
//! cancelled.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use moorline_runner::Inbox;
use moorline_taxonomy::Cancelled;
use tokio::sync::watch;

use super::TurnEnd;
use crate::session_key::SessionKey;

/// Ended runs that are remembered for `agent.wait`.
const REMEMBERED: usize = 1024;

#[derive(Default)]
pub(crate) struct Runs {
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    runs: HashMap<String, Run>,
    ended: VecDeque<String>,
    /// Open children by their requester.
    parents: HashMap<String, SessionKey>,
    /// The run whose turn it is, by session.
    active: HashMap<SessionKey, Run>,
}

#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) id: Arc<str>,
    pub(crate) session: SessionKey,
    /// The way into the run while it is under way.
    pub(crate) inbox: Inbox,
    end: watch::Sender<Option<Arc<TurnEnd>>>,
    cancel: watch::Sender<Option<Cancelled>>,
}

impl Runs {
    /// Begins a run; as a child of `parent`, it counts as one until it ends.
    pub(crate) fn begin(&self, run_id: &str, session: &SessionKey, parent: Option<&SessionKey>) -> Run {
        let run = Run {
            id: run_id.into(),
            session: session.clone(),
            inbox: Inbox::new(),
            end: watch::Sender::new(None),
            cancel: watch::Sender::new(None),
        };
        let mut all = self.lock();
        all.runs.insert(run_id.to_owned(), run.clone());
        if let Some(parent) = parent {
            all.parents.insert(run_id.to_owned(), parent.clone());
        }
        run
    }

    pub(crate) fn end(&self, run_id: &str, end: TurnEnd) {
        let mut all = self.lock();
        if let Some(run) = all.runs.get(run_id) {
            // A run that never got its turn has not closed it.
            run.inbox.close();
            run.end.send_replace(Some(Arc::new(end)));
            all.ended.push_back(run_id.to_owned());
        }
        all.parents.remove(run_id);
        if all.ended.len() > REMEMBERED
            && let Some(oldest) = all.ended.pop_front()
        {
            all.runs.remove(&oldest);
        }
    }

    /// Makes `run` the one that has its session's turn, until the guard is dropped.
    pub(crate) fn enter(&self, run: &Run) -> Active<'_> {
        self.lock().active.insert(run.session.clone(), run.clone());
        Active { runs: self, session: run.session.clone() }
    }

    /// The run that has the turn of `session` in this gateway.
    pub(crate) fn active(&self, session: &SessionKey) -> Option<Run> {
        self.lock().active.get(session).cloned()
    }

    /// Children of `requester` that are under way.
    pub(crate) fn open_children(&self, requester: &SessionKey) -> usize {
        self.lock().parents.values().filter(|parent| *parent == requester).count()
    }

    pub(crate) fn get(&self, run_id: &str) -> Option<Run> {
        self.lock().runs.get(run_id).cloned()
    }

    pub(crate) fn cancel_all(&self, why: Cancelled) {
        self.lock().runs.values().for_each(|run| run.cancel(why));
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's turn is taken by a run.
pub(crate) struct Active<'a> {
    runs: &'a Runs,
    session: SessionKey,
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        // The lane lets one turn run at a time, so it is this one's.
        self.runs.lock().active.remove(&self.session);
    }
}

impl Run {
    pub(crate) fn cancel(&self, why: Cancelled) {
        self.cancel.send_replace(Some(why));
    }

    /// Told when the run is to be cancelled.
    pub(crate) fn cancelled(&self) -> watch::Receiver<Option<Cancelled>> {
        self.cancel.subscribe()
    }

    /// Waits for the end. Cancel-safe.
    pub(crate) async fn ended(&self) -> Option<Arc<TurnEnd>> {
        let mut end = self.end.subscribe();
        let ended = end.wait_for(Option::is_some).await.ok()?;
        ended.clone()
    }
}

#[cfg(test)]
mod tests {
    use moorline_taxonomy::{Local, Wire};

    use super::*;

    #[test]
    fn what_is_remembered_of_ended_runs_is_bounded_and_open_ones_stay() {
        let (runs, session) = (Runs::default(), "agent:main:x".parse().unwrap());
        let open = runs.begin("open", &session, None);
        for number in 0..REMEMBERED + 10 {
            let id = number.to_string();
            let run = runs.begin(&id, &session, Some(&session));
            let turn = runs.enter(&run);
            runs.end(&id, TurnEnd::failed(Wire::new(Local::Bug, "")));
            drop(turn);
        }
        let all = runs.lock();
        assert_eq!((all.runs.len(), all.ended.len()), (REMEMBERED + 1, REMEMBERED));
        assert!(all.parents.is_empty() && all.active.is_empty());
        assert!(all.runs.contains_key("open") && !all.runs.contains_key("9") && all.runs.contains_key("10"));
        drop((all, open));
    }
}
