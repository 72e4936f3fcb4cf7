//! Silence: a child that has nothing to say.
//!
//! The tokens are words that agents are told to answer with. Only a text that is nothing but a token is silence; a
//! text that mentions one is a result. Markdown and punctuation around it are what models add on their own.

/// Words that mean "nothing to say".
const TOKENS: [&str; 3] = ["NO_REPLY", "ANNOUNCE_SKIP", "REPLY_SKIP"];

/// Whether a result says nothing: empty, or a silence token alone.
#[must_use]
pub fn is_silent(text: &str) -> bool {
    let bare = text.trim_matches(|edge: char| !edge.is_alphanumeric());
    // An emoji or a lone "?" is an answer, however short.
    text.trim().is_empty() || TOKENS.contains(&bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_alone_is_silence_and_a_text_about_it_is_not() {
        for silent in ["", "  \n", "NO_REPLY", "`ANNOUNCE_SKIP`", "**REPLY_SKIP**.", "\"NO_REPLY\"\n"] {
            assert!(is_silent(silent), "{silent:?}");
        }
        for said in
            ["?", "👍", "NO_REPLY is what I would say", "no_reply", "NO_REPLY_AT_ALL", "Result: NO_REPLY"]
        {
            assert!(!is_silent(said), "{said:?}");
        }
    }
}
