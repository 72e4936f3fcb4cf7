//! The session lock and the journal: who may write a session's transcript.
