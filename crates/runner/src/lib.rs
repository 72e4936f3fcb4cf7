//! Embedded attempts: lock, release for the prompt, reacquire, takeover.
