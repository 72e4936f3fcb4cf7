//! Text of the system under test, as a report may show it.
//!
//! A reply is somebody else's text: it may hold secrets, run to megabytes, and hold escapes that would repaint the
//! reader's terminal.

use moorline_taxonomy::redact;

/// Characters shown of one text.
const LONGEST: usize = 400;

/// `text` in quotes: redacted, cut, and with every control character written out.
pub(crate) fn shown(text: &str) -> String {
    // Twice the length is looked at, so that a secret across the cut is recognised before it is cut.
    let head: String = text.chars().take(2 * LONGEST).collect();
    let clean = redact(&head);
    let cut: String = clean.chars().take(LONGEST).collect();
    let more = if cut.len() < clean.len() || head.len() < text.len() { " …" } else { "" };
    format!("{cut:?}{more}")
}

/// `text` on one line, with every control character written out.
pub(super) fn plain(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_written_out_and_long_texts_are_cut() {
        assert_eq!(shown("a\u{1b}[31mb"), r#""a\u{1b}[31mb""#);
        assert_eq!(plain("a\u{1b}[31mb\nc"), "a\\u{1b}[31mb\\nc");
        let long = shown(&"x".repeat(5000));
        assert!(long.ends_with(" …") && long.chars().count() < LONGEST + 10);
    }
}
