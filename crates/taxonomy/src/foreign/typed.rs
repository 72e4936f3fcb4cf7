//! Reading a typed error chain of this process.
//!
//! The decision: a mark or an error from the wire decides wherever it stands, and only then the operating system's own
//! error. Text is not looked at: an error that is still typed and says nothing by type is left to the caller, who knows
//! whether it came from a provider's call. The option not taken is falling back on `Display`.
//!
//! What must stay true: no recursion and a bounded number of links, so an endless chain ends.

use std::{error::Error, io};

use super::{Evidence, Found, locals, owned, word::Word};
use crate::{Code, Local, Mark, RemoteError, chain};

/// Reads our code out of a typed error: the outermost mark or wire error, else an I/O error by kind or number.
///
/// ```
/// use moorline_taxonomy::foreign::read_error;
/// let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
/// let found = read_error(&full).expect("an I/O error of this machine");
/// assert_eq!(found.code.to_string(), "local.disk_full");
/// // A connection that failed is a provider's if a provider was called, which only the caller knows.
/// assert_eq!(read_error(&std::io::Error::from(std::io::ErrorKind::ConnectionReset)), None);
/// ```
#[must_use]
pub fn read_error(error: &(dyn Error + 'static)) -> Option<Found> {
    chain::links(error).find_map(ours).or_else(|| chain::links(error).find_map(system))
}

fn ours(link: &(dyn Error + 'static)) -> Option<Found> {
    if let Some(mark) = chain::as_type::<Mark>(link) {
        return Some(Found {
            code: mark.code(),
            effect: mark.effect(),
            retry_after: mark.retry_after(),
            evidence: Evidence::Wire,
            rule: "mark",
        });
    }
    let wire = chain::as_type::<RemoteError>(link)?.wire();
    // A code of another version may still have a legacy code that this version knows.
    let legacy = || match owned::code(wire.legacy_code.as_deref()?)? {
        Word::Means(meaning) => Some((meaning.code, Evidence::Code, meaning.rule)),
        Word::Transport | Word::Timeout | Word::Silent => None,
    };
    let known = wire.code.known().map(|code| (code, Evidence::Wire, "wire-code"));
    let (code, evidence, rule) = known.or_else(legacy)?;
    Some(Found { code, effect: wire.effect, retry_after: wire.retry_after(), evidence, rule })
}

fn system(link: &(dyn Error + 'static)) -> Option<Found> {
    let error = chain::as_type::<io::Error>(link)?;
    let word = error.raw_os_error().and_then(|number| locals::errno_number(number.into()));
    let (code, effect) = match word {
        Some(Word::Means(meaning)) => (meaning.code, meaning.effect),
        Some(Word::Transport | Word::Timeout | Word::Silent) => return None,
        None => (by_kind(error.kind())?, crate::Effect::None),
    };
    Some(Found { code, effect, retry_after: None, evidence: Evidence::Errno, rule: "errno" })
}

/// The class of a kind, for errors that were made from a kind and have no number.
fn by_kind(kind: io::ErrorKind) -> Option<Code> {
    use io::ErrorKind as K;
    let local = [
        (K::StorageFull, Local::DiskFull),
        (K::QuotaExceeded, Local::DiskFull),
        (K::FileTooLarge, Local::DiskFull),
        (K::PermissionDenied, Local::Permission),
        (K::ReadOnlyFilesystem, Local::Permission),
        (K::Unsupported, Local::UnsupportedFilesystem),
        (K::CrossesDevices, Local::UnsupportedFilesystem),
        (K::NotADirectory, Local::Config),
        (K::InvalidFilename, Local::Config),
        (K::AddrInUse, Local::Config),
        (K::AddrNotAvailable, Local::Config),
        (K::NotFound, Local::Unclassified),
        (K::AlreadyExists, Local::Unclassified),
        (K::ResourceBusy, Local::Unclassified),
        (K::OutOfMemory, Local::Unclassified),
    ];
    local.into_iter().find(|(known, _)| *known == kind).map(|(_, code)| code.into())
}
