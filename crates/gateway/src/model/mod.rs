//! Models: the embedded scripted one.

pub(crate) mod script;
