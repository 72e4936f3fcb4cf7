//! A runtime with transcripts of its own adopts the lock and the takeover, and nothing else.
//!
//! Its transcript is plain text, `who: what`, and lines that begin with `#` are notes that anybody may add at any time.
//! `cargo run -p moorline-runner --example embed`
#![allow(clippy::print_stdout, reason = "an example shows what it did")]

use std::{error::Error, fs::File, io, path::Path, sync::Arc};

use moorline_lock_core::{LockConfig, Locks, RunTag};
use moorline_runner::{Attempt, Lines, Opening, Origin, Tip, Transcript};

/// What the lock has to know of the format: whose line a line is, and whether a last line is whole.
struct PlainText;

impl Transcript for PlainText {
    fn tip(&self, _file: &File, _len: u64) -> io::Result<Tip> {
        Ok(Tip::default())
    }

    fn is_whole(&self, _line: &[u8]) -> bool {
        false
    }

    fn origin(&self, line: &[u8], run: &str) -> Origin {
        match line.first() {
            Some(b'#') | None => Origin::Metadata,
            Some(_) if line.ends_with(run.as_bytes()) => Origin::Own,
            Some(_) => Origin::Foreign,
        }
    }
}

fn line(text: String) -> impl Fn(&Tip) -> Lines {
    move |tip| Lines { bytes: format!("{text}\n").into_bytes(), tip: tip.clone() }
}

/// One turn of the foreign runtime; `think` is its model. Says how it ended.
async fn turn(
    locks: &Locks,
    path: &Path,
    run: &str,
    think: impl AsyncFnOnce() -> String,
) -> Result<String, Box<dyn Error>> {
    let opening = Opening::new(locks, path.to_owned(), RunTag::new(run), Arc::new(PlainText));
    let mut attempt = Attempt::acquire(opening).await?;
    attempt.append(line(format!("user: hello, {run}"))).await?;
    // From here on nothing can be appended: a released attempt has no method for it.
    let released = attempt.release_for_prompt().await?;
    let answer = think().await;
    match released.reacquire_after_prompt().await {
        Ok((mut attempt, _)) => {
            attempt.append(line(format!("model: {answer}, {run}"))).await?;
            attempt.finish().await?;
            Ok(format!("{run} answered {answer:?}"))
        }
        Err(error) if error.is_takeover() => Ok(format!("{run} kept {answer:?} for itself: {error}")),
        Err(error) => Err(error.into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let (path, locks) = (dir.path().join("chat.txt"), Locks::new(LockConfig::default()));
    let note = async || {
        let noted = std::fs::read_to_string(&path).unwrap_or_default() + "# a note of somebody else\n";
        std::fs::write(&path, noted).map_or_else(|error| error.to_string(), |()| "noted".to_owned())
    };
    println!("{}", turn(&locks, &path, "run-1", note).await?);
    let other = async || match turn(&locks, &path, "run-3", async || "quick".to_owned()).await {
        Ok(_) => "slow".to_owned(),
        Err(error) => error.to_string(),
    };
    println!("{}", turn(&locks, &path, "run-2", other).await?);
    println!("\n{}", std::fs::read_to_string(&path)?);
    Ok(())
}
