//! Opening the outbox of a state directory, and what is said when it cannot be.
//!
//! Every command opens it here. A file that is no outbox, or not whole, is wrong data and not a wrong setting, and its
//! reader needs to hear what becomes of the results in it.

use moorline_announce::SqliteOutbox;
use moorline_taxonomy::{Code, Local, Request};

use crate::{
    exit::{Exit, Failure},
    state_dir::StateDir,
};

/// What to do about an outbox that cannot be read.
pub(crate) const ADVICE: &str = "restore it from a backup, or use the program version that wrote it; moved away, the next \
                                 start begins an empty one, and results that were not delivered yet are lost";

pub(crate) async fn open(state: &StateDir) -> anyhow::Result<SqliteOutbox> {
    let path = state.outbox();
    SqliteOutbox::open(&path).await.map_err(|error| {
        if error.code() != Code::Local(Local::Config) {
            return error.into();
        }
        let error = anyhow::Error::from(error);
        let says = error.root_cause();
        let message = format!("{} is no outbox that can be read: {says}; {ADVICE}", path.display());
        Failure::new(Exit::BadInput, Request::Format, message).into()
    })
}
