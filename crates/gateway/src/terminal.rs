//! What people see: tables, and colours where the output is a terminal that wants them.

use std::{
    io::{IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};

/// How a word is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Warn,
    Bad,
    Faint,
}

/// Whether stdout takes colours: a terminal, and NO_COLOR is unset.
#[allow(clippy::disallowed_methods, reason = "the program reads the environment, its libraries do not")]
pub(crate) fn colours() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A table with headers: as wide as the terminal, and elsewhere as its contents, since whoever reads a file or a pipe knows
/// how wide that is and we do not. Without colours it is the same table.
pub(crate) fn table<const N: usize>(headers: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    let plain = !colours();
    table.set_header(headers.map(|header| {
        let cell = Cell::new(header);
        if plain { cell } else { cell.add_attribute(Attribute::Bold) }
    }));
    table
}

/// A long text as a table shows it: its beginning on a terminal, all of it elsewhere.
pub(crate) fn beginning(text: &str, characters: usize) -> String {
    if !std::io::stdout().is_terminal() || text.chars().count() <= characters {
        return text.to_owned();
    }
    text.chars().take(characters).chain(" …".chars()).collect()
}

/// Text from outside, such as a file's name, with its control characters spelled out: a terminal obeys none of them.
pub(crate) fn escaped(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            all.extend(character.escape_default());
        } else {
            all.push(character);
        }
    }
    all
}

/// A table cell with a tone.
pub(crate) fn cell(text: impl ToString, tone: Tone) -> Cell {
    let cell = Cell::new(escaped(&text.to_string()));
    match if colours() { tone } else { Tone::Plain } {
        Tone::Plain => cell,
        Tone::Good => cell.fg(Color::Green),
        Tone::Warn => cell.fg(Color::Yellow),
        Tone::Bad => cell.fg(Color::Red),
        Tone::Faint => cell.fg(Color::DarkGrey),
    }
}

/// A table cell of several lines, each of them one text from outside.
pub(crate) fn lines<'a>(texts: impl IntoIterator<Item = Option<&'a str>>) -> Cell {
    let texts: Vec<_> = texts.into_iter().flatten().map(escaped).collect();
    Cell::new(texts.join("\n"))
}

/// A word with a tone in running text.
pub(crate) fn paint(text: &str, tone: Tone) -> String {
    let code = match tone {
        Tone::Good => "32",
        Tone::Warn => "33",
        Tone::Bad => "31",
        Tone::Faint => "90",
        Tone::Plain => return text.to_owned(),
    };
    if colours() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Milliseconds as people read them.
pub(crate) fn age(ms: u64) -> String {
    match ms {
        0..=999 => format!("{ms} ms"),
        1_000..=119_999 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        120_000..=7_199_999 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}

/// Set once the reader of stdout is gone: what else would be said is dropped, and the command goes on to its end, so that
/// what it started is ended and cleaned up.
static NOBODY_READS: AtomicBool = AtomicBool::new(false);

/// Writes a line to stdout.
pub(crate) fn say(line: impl AsRef<str>) {
    if NOBODY_READS.load(Ordering::Relaxed) {
        return;
    }
    let mut out = std::io::stdout().lock();
    if let Err(error) = writeln!(out, "{}", line.as_ref()).and_then(|()| out.flush()) {
        NOBODY_READS.store(true, Ordering::Relaxed);
        // A closed pipe is a reader's choice; anything else is a result that got lost.
        if error.kind() != std::io::ErrorKind::BrokenPipe {
            LOST.store(true, Ordering::Relaxed);
            complain(&error);
        }
    }
}

/// Set when a result could not be written.
static LOST: AtomicBool = AtomicBool::new(false);

/// Whether a result could not be written; the command then fails whatever else it did.
pub(crate) fn output_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

#[allow(clippy::print_stderr, reason = "the results have no other place")]
fn complain(error: &std::io::Error) {
    eprintln!("moorline: the results could not be written: {error}");
}
