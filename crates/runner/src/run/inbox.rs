//! Messages for a run that is under way: they wait here until the run is about to call its model again.
//!
//! The decision: the run writes them itself, in the same append as the results of its tools, when a model call is certain to
//! follow. The option not taken, to write each when it comes in, would put a user's message between a tool's call and its
//! result, which providers refuse, and would leave one unanswered that came while the last reply was on its way.
//!
//! What must stay true: a message is written or it is not, and whoever offered it hears which; once the inbox is closed it
//! takes nothing and nothing in it will be written.

use std::sync::Arc;

use tokio::sync::watch;

use super::turn::Incoming;

/// The way into a run that is under way. Cheap to clone; all clones are one inbox. An inbox serves one run.
#[derive(Clone, Debug, Default)]
pub struct Inbox {
    state: Arc<watch::Sender<State>>,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    waiting: Vec<Incoming>,
    /// Keys of messages that are in the transcript.
    kept: Vec<String>,
}

impl State {
    fn has(&self, key: &str) -> bool {
        self.kept.iter().any(|kept| kept == key)
    }
}

impl Inbox {
    /// An open, empty inbox.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the run a message for its next model call; false when the run takes none any more.
    ///
    /// The message needs a key, and the caller has made sure that the transcript does not have it.
    #[must_use = "a message that was not taken has to go another way"]
    pub fn offer(&self, message: Incoming) -> bool {
        self.state.send_if_modified(|state| {
            if !state.closed {
                state.waiting.push(message);
            }
            !state.closed
        })
    }

    /// Waits until the message `key`, the run's own or an offered one, is in the transcript, or will not be written by this
    /// run: then false. Offered messages are on the disk when this says true. Cancel-safe.
    pub async fn kept(&self, key: &str) -> bool {
        let mut state = self.state.subscribe();
        match state.wait_for(|state| state.closed || state.has(key)).await {
            Ok(state) => state.has(key),
            // Not while `self` holds the sender.
            Err(_) => false,
        }
    }

    /// Whether the message `key` is in the transcript by now.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.state.borrow().has(key)
    }

    /// Takes no more messages, and gives up those that wait. The runner closes the inbox of a run at its end at the latest; a
    /// host closes that of a turn that never ran.
    pub fn close(&self) {
        self.state.send_if_modified(|state| {
            state.waiting.clear();
            !std::mem::replace(&mut state.closed, true)
        });
    }

    /// What waits, for the run that will write it.
    pub(super) fn take(&self) -> Vec<Incoming> {
        let mut taken = Vec::new();
        self.state.send_if_modified(|state| {
            taken.append(&mut state.waiting);
            false
        });
        taken
    }

    /// Says that a message is in the transcript.
    pub(super) fn keep(&self, key: &str) {
        self.state.send_modify(|state| state.kept.push(key.to_owned()));
    }

    /// Closes the inbox when the run is over, however it ends.
    pub(super) fn closing(&self) -> Closing<'_> {
        Closing(self)
    }
}

/// Closes an inbox when dropped.
pub(super) struct Closing<'a>(&'a Inbox);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(key: &str) -> Incoming {
        Incoming { text: key.into(), idempotency_key: key.into(), ..Incoming::default() }
    }

    #[tokio::test]
    async fn what_was_offered_is_kept_or_given_up_and_the_offerer_hears_which() {
        let inbox = Inbox::new();
        assert!(inbox.offer(message("a")) && inbox.offer(message("b")));
        let taken = inbox.take();
        assert_eq!(taken.iter().map(|message| message.text.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let (a, b, ()) = tokio::join!(inbox.kept("a"), inbox.kept("b"), async {
            inbox.keep("a");
            inbox.close();
        });
        assert!(a && !b);
        assert!(!inbox.offer(message("c")));
        assert!(!inbox.kept("c").await && inbox.kept("a").await);
    }
}
