//! What another program wrote into the sessions of a stress run: each entry is there once, whatever the runs beside it did.

use super::{Audit, transcripts::Transcripts};
use crate::stress::record::Record;

pub(super) fn check(audit: &mut Audit, transcripts: &Transcripts, records: &[Record]) {
    for record in records {
        let Record::Outside { session, entry, code, .. } = record else { continue };
        let entries = transcripts.sessions.get(session).into_iter().flatten();
        let times = entries.filter(|found| found.id.as_deref() == Some(entry)).count();
        // One that could not be written may be there all the same; twice it is counted with every other id.
        if code.is_some() {
            continue;
        }
        audit.outside.of += 1;
        match times {
            0 => audit.lose(format!("the entry {entry} of another program is not in {session} any more")),
            1 => audit.outside.ok += 1,
            _ => {}
        }
    }
}
