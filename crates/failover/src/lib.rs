//! Classify a provider failure, decide, and run a chain of candidates.
