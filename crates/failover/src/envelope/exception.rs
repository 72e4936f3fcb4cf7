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
    let mut room = MAX_NAMES;
    std::iter::from_fn(move || {
        room = room.checked_sub(1)?;
        let by_parentheses = rest.strip_prefix(b"An error occurred (");
        rest = by_parentheses.unwrap_or(rest);
        let end = rest.iter().take(LONGEST).position(|byte| !is_of_a_name(*byte))?;
        let (name, behind) = rest.split_at(end);
        let closes: &[u8] = if by_parentheses.is_some() { b")" } else { b": " };
        rest = behind.strip_prefix(closes)?.trim_ascii_start();
        let bare = name.rsplit(|byte| *byte == b'.').next()?;
        if is_exception(bare) || is_spelled(bare) || is_of_a_module(name, bare) {
            std::str::from_utf8(bare).ok()
        } else {
            None
        }
    })
}

/// Whether a name is that of an exception.
pub(super) fn is_exception(name: &[u8]) -> bool {
    name.ends_with(b"Error") || name.ends_with(b"Exception")
}

/// Whether a name stands in a module: Google's clients name an exception by its status alone
/// (`google.api_core.exceptions.ResourceExhausted`).
fn is_of_a_module(name: &[u8], bare: &[u8]) -> bool {
    name.len() > bare.len() && bare.first().is_some_and(u8::is_ascii_uppercase)
}

/// Whether a name cannot be a word of a sentence: in camel case, or in capitals with a line in it. Some begin a message
/// with its code (`NOT_ENOUGH_BALANCE: ...`).
fn is_spelled(name: &[u8]) -> bool {
    let in_capitals = name.contains(&b'_') && !name.iter().any(u8::is_ascii_lowercase);
    let camel = name.first().is_some_and(u8::is_ascii_uppercase)
        && name.windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    in_capitals || camel
}

/// The status of a gRPC error as Python shows it: `status = StatusCode.UNAVAILABLE`.
pub(super) fn grpc_status(text: &[u8]) -> Option<&str> {
    const LEAD: &[u8] = b"StatusCode.";
    let head = &text[..text.len().min(LONGEST * 4)];
    let at = head.windows(LEAD.len()).position(|window| window == LEAD)? + LEAD.len();
    let rest = head.get(at..)?;
    let end = rest.iter().position(|byte| !byte.is_ascii_uppercase() && *byte != b'_').unwrap_or(rest.len());
    std::str::from_utf8(rest.get(..end)?).ok().filter(|status| !status.is_empty())
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
            (
                "botocore.exceptions.EventStreamError: An error occurred (throttlingException) when calling",
                &["EventStreamError", "throttlingException"],
            ),
            ("AI_APICallError: 429", &["AI_APICallError"]),
            ("google.api_core.exceptions.PermissionDenied: 403 no", &["PermissionDenied"]),
            ("NOT_ENOUGH_BALANCE: no", &["NOT_ENOUGH_BALANCE"]),
            ("Requests: no", &[]),
            ("it said: RateLimitError: no", &[]),
            ("RateLimitError", &[]),
            ("Ratelimits: no", &[]),
            ("", &[]),
        ] {
            assert_eq!(names(text.as_bytes()).collect::<Vec<_>>(), wanted, "{text}");
        }
        assert_eq!(grpc_status(b"<AioRpcError: status = StatusCode.UNAVAILABLE\n"), Some("UNAVAILABLE"));
        assert_eq!(grpc_status(b"StatusCode."), None);
    }
}
