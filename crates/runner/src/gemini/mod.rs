//! Prompt caches of a Gemini-compatible provider: `cachedContents`.
//!
//! `entry.rs` is what is stored in the session and what follows from it (pure), `http.rs` talks to the provider, `cache.rs` joins
//! the two.

mod cache;
mod entry;
mod http;

pub use cache::GeminiCache;
pub use entry::Retention;
