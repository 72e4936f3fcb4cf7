//! The event files on disk: written by one process each, rolled at a size, and removed when nothing is owed any more.
//!
//! A writer holds an operating-system lock on its file for as long as it may write, so that another process sees that the
//! file is in use, in whatever namespace the writer runs and whoever has its process id by now.
//!
//! Files go from the oldest on, and only up to the first that must stay: a file never outlives what refers to it. Ages are
//! differences of modification times, not of the wall clock: a process whose clock is wrong removes nothing early.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{Line, Recorded};
use crate::clock;

/// A file that is larger is followed by a new one.
const ROLL_AT: u64 = 8 * 1024 * 1024;
/// How long a file is kept after its last line, as long as the outbox keeps what it settled. Idempotency keys are known
/// for that long.
pub(crate) const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Appends lines to the files of this process.
#[derive(Debug)]
pub(super) struct Writer {
    folder: PathBuf,
    role: String,
    file: File,
    /// Bytes of whole lines.
    length: u64,
    /// A part of a line stands behind them that could not be cut yet.
    torn: bool,
    roll_at: u64,
    /// Lines of what already happened that could not be written yet.
    owed: VecDeque<Vec<u8>>,
}

impl Writer {
    pub(super) fn open(folder: &Path, role: &str) -> io::Result<Self> {
        let file = create(folder, role)?;
        let (folder, role) = (folder.to_owned(), role.to_owned());
        Ok(Self { folder, role, file, length: 0, torn: false, roll_at: ROLL_AT, owed: VecDeque::new() })
    }

    /// Appends a whole line behind what is owed, or nothing.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.settle()?;
        self.put(line)
    }

    /// Appends a line of what already happened; when that fails, it comes before the next one.
    pub(super) fn owe(&mut self, line: Vec<u8>) -> io::Result<()> {
        self.owed.push_back(line);
        self.settle()
    }

    /// Appends what is owed, oldest first.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        while let Some(line) = self.owed.pop_front() {
            if let Err(error) = self.put(&line) {
                self.owed.push_front(line);
                return Err(error);
            }
        }
        Ok(())
    }

    fn put(&mut self, line: &[u8]) -> io::Result<()> {
        self.mend()?;
        // A file that is too large is better than a promise that is not written down.
        if self.length >= self.roll_at
            && let Err(error) = self.roll()
        {
            tracing::warn!(%error, "no new event file could be made; the old one grows");
        }
        let written = self.file.write_all(line);
        match written {
            Ok(()) => self.length += line.len() as u64,
            // What a full disk left of the line would run into the next one.
            Err(_) => self.torn = cut(&self.file, self.length).is_err(),
        }
        written
    }

    /// Sees to it that the file ends with a whole line. A file that cannot be cut is followed by a new one; while neither can
    /// be done, nothing is written.
    fn mend(&mut self) -> io::Result<()> {
        if self.torn && cut(&self.file, self.length).is_err() {
            self.roll()?;
        }
        self.torn = false;
        Ok(())
    }

    fn roll(&mut self) -> io::Result<()> {
        (self.file, self.length) = (create(&self.folder, &self.role)?, 0);
        Ok(())
    }

    /// When this process's file was last written, by the clock of the file system.
    pub(super) fn modified(&self) -> io::Result<SystemTime> {
        self.file.metadata()?.modified()
    }
}

#[allow(clippy::disallowed_methods, reason = "a line that was not written whole is no promise")]
fn cut(file: &File, length: u64) -> io::Result<()> {
    file.set_len(length)
}

/// Makes a file that is not there yet, and locks it.
#[allow(
    clippy::disallowed_methods,
    reason = "the room of the event files: one writer a file, one write a line"
)]
fn create(folder: &Path, role: &str) -> io::Result<File> {
    let mut at = clock::wall_ms();
    loop {
        let name = format!("{role}-{at}-{}.jsonl", std::process::id());
        match OpenOptions::new().append(true).create_new(true).mode(0o600).open(folder.join(name)) {
            Ok(file) => match fs4::FileExt::try_lock(&file) {
                Ok(()) => return Ok(file),
                // Somebody asks at this moment whether it is in use. The empty file goes as old files do.
                Err(fs4::TryLockError::WouldBlock) => at += 1,
                Err(error) => return Err(error.into()),
            },
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => at += 1,
            Err(error) => return Err(error),
        }
    }
}

/// A file of some process, this one or another.
#[derive(Debug)]
pub(crate) struct EventFile {
    path: PathBuf,
    /// From its name: when it was begun, in milliseconds since the Unix epoch.
    begun: u64,
}

/// Every file, the oldest first.
pub(crate) fn files(folder: &Path) -> io::Result<Vec<EventFile>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let begun = name.rsplit('-').nth(1).and_then(|begun| begun.parse().ok()).unwrap_or(0);
        files.push(EventFile { path, begun });
    }
    files.sort_by(|a, b| (a.begun, &a.path).cmp(&(b.begun, &b.path)));
    Ok(files)
}

impl EventFile {
    /// Its lines, in the order of writing. A last line without its newline is a write that never finished, and so no
    /// promise.
    pub(crate) fn read(&self) -> io::Result<Recorded> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            // Removed since it was listed: it owed nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Recorded::default()),
            Err(error) => return Err(error),
        };
        let mut recorded = Recorded::default();
        let whole = bytes.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
        for line in whole {
            match serde_json::from_slice::<Line>(line) {
                Ok(line) => recorded.lines.push(line),
                Err(_) => recorded.broken += 1,
            }
        }
        Ok(recorded)
    }

    /// Whether its writer lives. The lock says so, and not the process id, which somebody else may have by now.
    pub(super) fn is_in_use(&self) -> io::Result<bool> {
        match File::open(&self.path) {
            Ok(file) => Ok(in_use(&file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// What decides whether a file may go.
#[derive(Clone, Copy, Debug)]
struct Facts {
    age: Duration,
    /// Something in it is owed, or cannot be read.
    owes: bool,
}

/// How many files may go, from the oldest on. `in_use` says whether a process may still write to one; it is asked last,
/// since asking is in the way of a writer that begins at that moment.
fn removable(files: &[Facts], mut in_use: impl FnMut(usize) -> bool) -> usize {
    let may_go = |(place, file): &(usize, &Facts)| file.age > KEPT && !file.owes && !in_use(*place);
    files.iter().enumerate().take_while(may_go).count()
}

/// Removes what is old and owes nothing; `owes` says so of each file, by its place. Returns how many are gone.
pub(super) fn retire(
    files: &[EventFile],
    now: SystemTime,
    owes: impl Fn(usize) -> bool,
) -> io::Result<usize> {
    let mut facts = Vec::with_capacity(files.len());
    for (place, file) in files.iter().enumerate() {
        let modified = std::fs::metadata(&file.path)?.modified()?;
        facts.push(Facts { age: now.duration_since(modified).unwrap_or_default(), owes: owes(place) });
    }
    let gone =
        removable(&facts, |place| files.get(place).is_none_or(|file| file.is_in_use().unwrap_or(true)));
    for file in files.iter().take(gone) {
        remove(&file.path)?;
    }
    Ok(gone)
}

#[allow(clippy::disallowed_methods, reason = "asks whether the writer of an event file lives")]
fn in_use(file: &File) -> bool {
    fs4::FileExt::try_lock_shared(file).is_err()
}

#[allow(clippy::disallowed_methods, reason = "an event file that owes nothing and that nobody writes to")]
fn remove(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<PathBuf> {
        files(folder).unwrap().into_iter().map(|file| file.path).collect()
    }

    fn age(path: &Path, by: Duration) {
        let file = File::open(path).unwrap();
        file.set_modified(file.metadata().unwrap().modified().unwrap() - by).unwrap();
    }

    #[test]
    fn a_large_file_is_followed_by_a_new_one_and_all_lines_are_read_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer { roll_at: 100, ..Writer::open(folder.path(), "gateway").unwrap() };
        for number in 0..10 {
            let event = crate::events::Event::SendReplied { send_id: format!("s{number}") };
            let line = Line { at: number, pid: 1, event };
            writer.append(format!("{}\n", serde_json::to_string(&line).unwrap()).as_bytes()).unwrap();
        }
        assert!(names(folder.path()).len() > 2);
        let read: Vec<u64> = files(folder.path())
            .unwrap()
            .iter()
            .flat_map(|file| file.read().unwrap().lines)
            .map(|line| line.at)
            .collect();
        assert_eq!(read, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_full_disk_refused_is_written_before_the_next_line() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(folder.path(), "gateway").unwrap();
        writer.append(b"1\n").unwrap();
        // A file that cannot be cut is followed by a new one, so the full one is put in its place for each.
        let fill = |writer: &mut Writer| {
            writer.file = OpenOptions::new().write(true).open("/dev/full").unwrap();
            (writer.length, writer.torn) = (0, false);
        };
        fill(&mut writer);
        assert!(writer.append(b"a promise\n").is_err());
        fill(&mut writer);
        assert!(writer.owe(b"2\n".to_vec()).is_err());
        fill(&mut writer);
        assert!(writer.append(b"another promise\n").is_err());
        writer.append(b"3\n").unwrap();
        let text: String =
            names(folder.path()).iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
        assert_eq!(text, "1\n2\n3\n");
    }

    #[test]
    fn old_files_go_up_to_the_first_that_must_stay() {
        let folder = tempfile::tempdir().unwrap();
        for begun in 1..=4 {
            std::fs::write(folder.path().join(format!("gateway-{begun}-7.jsonl")), "").unwrap();
        }
        let all = names(folder.path());
        let long = KEPT + Duration::from_secs(60);
        all.iter().take(3).for_each(|path| age(path, long));
        // Of another process that lives, in whatever namespace: it holds the lock.
        let own = Writer::open(folder.path(), "agent").unwrap();
        age(&names(folder.path())[4], long);
        let now = std::fs::metadata(&all[3]).unwrap().modified().unwrap();
        let listed = files(folder.path()).unwrap();
        assert_eq!(listed.len(), 5);
        // The second owes something: only the first goes.
        assert_eq!(retire(&listed, now, |place| place == 1).unwrap(), 1);
        let listed = files(folder.path()).unwrap();
        assert_eq!(retire(&listed, now, |_| false).unwrap(), 2);
        // The fourth is young, and so the old one behind it stays, which is in use as well.
        let listed = files(folder.path()).unwrap();
        assert_eq!(retire(&listed, now, |_| false).unwrap(), 0);
        age(&all[3], long);
        assert_eq!(retire(&listed, now, |_| false).unwrap(), 1);
        let listed = files(folder.path()).unwrap();
        assert_eq!((listed.len(), retire(&listed, now, |_| false).unwrap()), (1, 0));
        drop(own);
        assert_eq!(retire(&listed, now, |_| false).unwrap(), 1);
    }

    #[test]
    fn a_file_that_is_not_old_enough_stays() {
        for (age, gone) in [(KEPT, 0), (KEPT + Duration::from_millis(1), 1)] {
            assert_eq!(removable(&[Facts { age, owes: false }], |_| false), gone);
        }
    }

    #[test]
    fn a_writer_begins_however_often_others_ask_what_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    files(folder.path()).unwrap().iter().for_each(|file| drop(file.is_in_use()));
                }
            });
            // Few files at a time, or the one that is begun is hardly ever asked about.
            let failed = (0..3000).find_map(|_| {
                let failed = Writer::open(folder.path(), "agent").err();
                names(folder.path()).iter().for_each(|path| remove(path).unwrap());
                failed
            });
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(failed.is_none(), "{failed:?}");
        });
    }

    #[test]
    fn only_a_file_that_would_go_is_asked_whether_it_is_in_use() {
        let old = KEPT + Duration::from_secs(1);
        let file = |age, owes| Facts { age, owes };
        let asked = |files: &[Facts]| {
            let mut asked = Vec::new();
            let gone = removable(files, |place| {
                asked.push(place);
                false
            });
            (gone, asked)
        };
        assert_eq!(asked(&[file(KEPT, false)]), (0, vec![]));
        assert_eq!(asked(&[file(old, false), file(old, true), file(old, false)]), (1, vec![0]));
    }

    #[test]
    fn nothing_is_written_behind_a_torn_line_that_can_neither_be_cut_nor_left() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(folder.path(), "gateway").unwrap();
        writer.append(b"1\n").unwrap();
        let path = names(folder.path()).remove(0);
        let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut disk = std::mem::replace(&mut writer.file, full());
        // No new file can be made either: its folder is away.
        let elsewhere = tempfile::tempdir().unwrap();
        writer.folder = elsewhere.path().join("away");
        for _ in 0..2 {
            assert!(writer.append(b"a promise\n").is_err());
        }
        // The disk took a part of the line. It would take the next one now, and still cannot be cut.
        disk.write_all(b"a pro").unwrap();
        writer.file = OpenOptions::new().write(true).open("/dev/null").unwrap();
        assert!(writer.append(b"another promise\n").is_err());
        // It can be cut again.
        writer.file = disk;
        writer.append(b"2\n").unwrap();
        writer.append(b"3\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n2\n3\n");
    }
}
