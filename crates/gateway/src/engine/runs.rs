//! Runs that the gateway knows of: how they ended, who waits for them, and how they are cancelled.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

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
}

#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) session: SessionKey,
    end: watch::Sender<Option<Arc<TurnEnd>>>,
    cancel: watch::Sender<Option<Cancelled>>,
}

impl Runs {
    pub(crate) fn begin(&self, run_id: &str, session: &SessionKey) -> Run {
        let run =
            Run { session: session.clone(), end: watch::Sender::new(None), cancel: watch::Sender::new(None) };
        self.lock().runs.insert(run_id.to_owned(), run.clone());
        run
    }

    pub(crate) fn end(&self, run_id: &str, end: TurnEnd) {
        let mut all = self.lock();
        if let Some(run) = all.runs.get(run_id) {
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

    /// Counts a run as a child of `requester` until it ends.
    pub(crate) fn adopt(&self, run_id: &str, requester: &SessionKey) {
        self.lock().parents.insert(run_id.to_owned(), requester.clone());
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
