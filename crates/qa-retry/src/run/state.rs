//! What a scenario remembers from step to step.

use moorline_taxonomy::{Wire, WireCode};

use crate::SendFacts;

/// What the steps so far did.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Attempts of the last step that acted.
    pub(super) attempts: u32,
    /// Its error, if it failed as it was expected to.
    pub(super) error: Option<WireCode>,
    /// The last turn's reply and outcome.
    pub(super) turn: Option<Turn>,
    /// The facts of the last send.
    pub(super) send: Option<SendFacts>,
    /// The run that was started last.
    pub(super) run_id: Option<String>,
    /// The session of the last child.
    pub(super) child: Option<String>,
}

/// What a turn ended with.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Turn {
    pub(super) reply: Option<String>,
    pub(super) outcome: Option<String>,
}

/// What one step did.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) turn: Option<Turn>,
    pub(super) send: Option<SendFacts>,
    pub(super) run_id: Option<String>,
    pub(super) child: Option<String>,
}

impl State {
    /// Takes in a step that acted and passed. What it did not touch stays as it was.
    pub(super) fn passed(&mut self, done: Done, attempts: u32) {
        let Done { turn, send, run_id, child } = done;
        self.attempts = attempts;
        self.error = None;
        self.turn = turn.or_else(|| self.turn.take());
        self.send = send.or_else(|| self.send.take());
        self.run_id = run_id.or_else(|| self.run_id.take());
        self.child = child.or_else(|| self.child.take());
    }

    /// Takes in a step that failed as it may.
    pub(super) fn failed(&mut self, error: &Wire, attempts: u32) {
        self.attempts = attempts;
        self.error = Some(error.code.clone());
        // A reply of an earlier turn must not pass for the one that did not come.
        self.turn = None;
        self.send = None;
    }
}
