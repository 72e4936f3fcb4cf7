//! What stands above a node of the walk, as far as it bears on what the node means.
//!
//! The decision: a handful of flags handed down by value. The option not taken is looking back up the chain at each node,
//! which makes a deep chain quadratic.
//!
//! What must stay true: flags are only ever set on the way down, except that another error (a `cause`) is not the words of
//! the answer above it.

use super::{keys::Carrier, prefix::Mode};

/// What stands above a node.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Above {
    /// A provider answered: what stands beneath does not decide.
    pub(super) answered: bool,
    /// These are the words of the answer, not another error beside it.
    pub(super) words: bool,
    /// Reached through the answer's body: a Moorline or OpenClaw gateway may have given it.
    pub(super) body: bool,
    /// A provider is named.
    pub(super) called: bool,
    /// A channel is named.
    pub(super) channel: bool,
    /// The address of the call is known.
    pub(super) url: bool,
    /// The error has a name that hints at its class: its own words count only at their start.
    pub(super) hinted: bool,
    /// An error of ours that has classified itself.
    pub(super) settled: bool,
    /// This is the error of a prompt, kept by the error of the cleanup after it.
    pub(super) prompt: bool,
    /// The abort above.
    pub(super) abort: Option<usize>,
}

impl Above {
    /// Does what stands beneath not decide?
    pub(super) fn shields(self) -> bool {
        self.answered || self.settled
    }

    /// How far a text is trusted here.
    pub(super) fn mode(self) -> Mode {
        if self.words {
            Mode::Words
        } else if self.called || self.channel || self.hinted {
            Mode::Strict
        } else {
            Mode::Free
        }
    }

    /// What stands above a value that a layer carries.
    pub(super) fn carried_by(self, carrier: Carrier) -> Self {
        let mut above = self;
        match carrier {
            // Only through the answer itself: what a cause carries was not answered by this status.
            Carrier::Answer => above.body |= self.answered && self.words,
            Carrier::Error => {}
            Carrier::Cause | Carrier::Prompt => {
                above.words = false;
                above.prompt |= carrier == Carrier::Prompt;
            }
        }
        above
    }
}
