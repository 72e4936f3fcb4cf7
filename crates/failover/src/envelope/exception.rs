//! The names of exceptions that a text begins with: `litellm.RateLimitError: ...`, `openai.APITimeoutError: ...`,
//! `An error occurred (ThrottlingException) when calling ...`.
//!
//! Client libraries print an error as the name of its class, a colon and what it says. The name is a type, exactly as if it
//! stood in a field. The option not taken is phrases in the text rules: a quoted name deeper in the text would count too.

/// Names that are read: a wrapper's, and those of what it wraps.
const MAX_NAMES: usize = 3;
/// Bytes of the longest name, its module included.
const LONGEST: usize = 80;

/// The names, outermost first.
pub(super) fn names(text: &[u8]) -> impl Iterator<Item = &str> {
    let mut rest = text.trim_ascii_start();
    let by_parentheses = rest.strip_prefix(b"An error occurred (").is_some_and(|behind| {
        rest = behind;
        true
    });
    let mut room = MAX_NAMES;
    std::iter::from_fn(move || {
        room = room.checked_sub(1)?;
        let end = rest.iter().take(LONGEST).position(|byte| !is_of_a_name(*byte))?;
        let (name, behind) = rest.split_at(end);
        let closes: &[u8] = if by_parentheses { b")" } else { b": " };
        rest = behind.strip_prefix(closes)?.trim_ascii_start();
        let name = name.rsplit(|byte| *byte == b'.').next()?;
        let is_exception = name.ends_with(b"Error") || name.ends_with(b"Exception");
        if is_exception { std::str::from_utf8(name).ok() } else { None }
    })
}

const fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_at_the_beginning_only() {
        for (text, wanted) in [
            ("litellm.RateLimitError: RateLimitError: OpenAIException - no", &["RateLimitError"; 2][..]),
            ("An error occurred (ThrottlingException) when calling", &["ThrottlingException"]),
            ("AI_APICallError: 429", &["AI_APICallError"]),
            ("it said: RateLimitError: no", &[]),
            ("RateLimitError", &[]),
            ("RateLimitErrors: no", &[]),
            ("", &[]),
        ] {
            assert_eq!(names(text.as_bytes()).collect::<Vec<_>>(), wanted, "{text}");
        }
    }
}
