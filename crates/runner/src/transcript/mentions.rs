//! Entries that name an idempotency key, found without reading what does not.
//!
//! The decision: bytes are searched for the key as JSON writes it, and only a line that has them is parsed. A gibibyte costs what
//! reading it costs. The option not taken is an index of keys beside the transcript: one more file that can disagree, and
//! that programs of the generation would not keep.
//!
//! What must stay true: a line that names the key is met however its writer escaped it. Letters, digits and a few marks are
//! never escaped by any writer, so the longest piece of the key that has nothing else is what is searched for; a key without such
//! a piece costs parsing every line.

use std::{fs::File, io};

use super::{entry::Entry, lines::Forward};

/// Gives `met` every readable entry before `end` that may name `key`, in file order; whether it does is for `met` to see.
///
/// Blocking; the lines at hand are in memory, as bounded as one line is. Ends early, with an error, once `wanted` says no.
pub(crate) fn mentions(
    file: &File,
    end: u64,
    key: &str,
    wanted: impl Fn() -> bool,
    mut met: impl FnMut(Entry),
) -> io::Result<()> {
    let needle = needle(key);
    let finder = memchr::memmem::Finder::new(needle.as_bytes());
    let mut lines = Forward::new(file, 0, end);
    while let Some(several) = lines.several()? {
        if !wanted() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let mut rest = several;
        while let Some(hit) = finder.find(rest) {
            let begins = memchr::memrchr(b'\n', &rest[..hit]).map_or(0, |newline| newline + 1);
            let ends = memchr::memchr(b'\n', &rest[hit..]).map_or(rest.len(), |newline| hit + newline);
            if let Some(entry) = Entry::read(&rest[begins..ends]) {
                met(entry);
            }
            rest = &rest[ends..];
        }
    }
    Ok(())
}

/// The longest piece of `"key"` that stands in the file as it stands here, whoever wrote it.
fn needle(key: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_.:%|@#".contains(char);
    // No piece has a newline, so it may stand for what cuts them.
    let pieces: String = key.chars().map(|char| if plain(char) { char } else { '\n' }).collect();
    let quoted = format!("\"{pieces}\"");
    quoted.split('\n').max_by_key(|piece| piece.len()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use serde_json::json;

    use super::*;

    fn met(bytes: &[u8], key: &str) -> Vec<String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let mut ids = Vec::new();
        let met = |entry: Entry| {
            if entry.idempotency_key() == Some(key) {
                ids.push(entry.id().unwrap().to_owned());
            }
        };
        mentions(&file, bytes.len() as u64, key, || true, met).unwrap();
        ids
    }

    fn user(id: &str, key: &str) -> String {
        json!({"type": "message", "id": id, "message": {"role": "user", "content": "x", "idempotencyKey": key}})
            .to_string()
    }

    #[test]
    fn what_is_searched_for_has_nothing_that_anybody_escapes() {
        for (key, expected) in [
            ("key-1", "\"key-1\""),
            ("agent:main:main/run%2F7/completion", "\"agent:main:main"),
            ("a/much-longer", "much-longer\""),
            ("caf\u{e9} au lait", "lait\""),
            ("say \"hello\"", "hello"),
            ("\u{e9}\n\\", "\""),
            ("", "\"\""),
        ] {
            assert_eq!(needle(key), expected, "{key:?}");
        }
    }

    #[test]
    fn a_key_is_met_however_its_writer_escaped_it() {
        for (key, written) in [
            ("key-1", r"key-1"),
            ("a/b", r"a\/b"),
            ("a/b", r"a/b"),
            ("caf\u{e9}", r"caf\u00e9"),
            ("caf\u{e9}", "caf\u{e9}"),
            ("\u{e9}", r"\u00E9"),
            ("\u{1f600}", r"\ud83d\ude00"),
            ("say \"hi\"", r#"say \"hi\""#),
            ("say \"hi\"", r"say \u0022hi\u0022"),
            ("a\nb", r"a\nb"),
            ("a\nb", r"a\u000ab"),
            ("a\\b", r"a\\b"),
            ("a<b>&c='d+e", r"a\u003cb\u003e\u0026c\u003d\u0027d\u002be"),
            ("a b", "a b"),
        ] {
            let line = user("1", "KEY").replace("KEY", written);
            assert_eq!(met(format!("{line}\n").as_bytes(), key), ["1"], "{line}");
        }
    }

    #[test]
    fn a_key_is_met_wherever_its_line_lies() {
        // Around every border of what is read at once, a line that is longer than that included.
        let key = "key-on-a-border";
        let line = user("1", key);
        let block = 128 * 1024;
        let other = user("2", "another-key");
        for end in (block - 200)..(block + 40) {
            let filler = "x".repeat(end - line.len() - 1);
            assert_eq!(met(format!("{filler}\n{line}\n{other}\n").as_bytes(), key), ["1"], "ends at {end}");
        }
        let long = line.replace("\"x\"", &format!("\"{}\"", "x".repeat(5 * block + 17)));
        assert_eq!(met(format!("{other}\n{long}\n{other}\n").as_bytes(), key), ["1"]);
        assert_eq!(met(format!("{other}\n\n{long}").as_bytes(), key), ["1"], "without its newline");
        let crlf = format!("{other}\r\n{line}\r\n\r\n{other}\r\n");
        assert_eq!(met(crlf.as_bytes(), key), ["1"]);
    }

    #[test]
    fn a_line_that_is_too_long_hides_nothing_behind_it() {
        use std::os::unix::fs::FileExt;
        let file = tempfile::tempfile().unwrap();
        let line = user("1", "key");
        let hole = super::super::lines::LONGEST as u64 * 2;
        file.write_all_at(format!("\n{line}\n").as_bytes(), hole).unwrap();
        let mut times = 0;
        mentions(&file, hole + 2 + line.len() as u64, "key", || true, |_| times += 1).unwrap();
        assert_eq!(times, 1);
    }

    #[test]
    fn what_is_no_entry_is_passed_over_and_nobody_waits_for_what_is_not_wanted() {
        let line = user("1", "key");
        let broken = &line[..line.len() - 1];
        assert_eq!(met(format!("{broken}\n\"key\"\n{line}\n\u{0}\u{0}\"key\"\n").as_bytes(), "key"), ["1"]);
        let file = tempfile::tempfile().unwrap();
        (&file).write_all(line.as_bytes()).unwrap();
        let gone = mentions(&file, line.len() as u64, "key", || false, |_| {});
        assert_eq!(gone.unwrap_err().kind(), io::ErrorKind::Interrupted);
    }
}
