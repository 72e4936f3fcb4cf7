//! Walking a `source()` chain, link by link, with the links that `source()` alone does not show.
//!
//! `io::Error` and `Arc<dyn Error>` are errors whose `source()` is the source of the error they carry: the carried error
//! itself never appears in a plain `source()` walk. This walk steps into them. The option not taken is asking every
//! caller to remember that.
//!
//! What must stay true: the walk allocates nothing, does not recurse and ends after [`MAX_LINKS`] links, so a cyclic or
//! endless chain costs time that is known.

use std::{error::Error, io, iter, sync::Arc};

/// Links looked at. Real chains have under twenty; a longer one is a cycle or hostile, and is cut.
pub(crate) const MAX_LINKS: usize = 4096;

/// The links of `error`, itself first.
pub(crate) fn links<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |link| beneath(*link)).take(MAX_LINKS)
}

/// The next link. A carried error's own `source` continues the chain, which is what its carrier's `source` would give.
fn beneath<'a>(link: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    carried(link).or_else(|| link.source())
}

/// The error that `link` was made from and whose place it takes.
fn carried<'a>(link: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(error) = link.downcast_ref::<io::Error>() {
        return error.get_ref().map(|carried| carried as &(dyn Error + 'static));
    }
    let shared = link.downcast_ref::<Arc<dyn Error + Send + Sync>>()?;
    Some(&**shared as &(dyn Error + 'static))
}

/// The outermost link that is an `E`, or a shared or boxed one.
pub(crate) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    links(error).find_map(as_type::<E>)
}

/// `link` as an `E`, through `Arc` and `Box`: those are errors of their own, whose `source()` skips the `E` they hold.
pub(crate) fn as_type<'a, E: Error + 'static>(link: &'a (dyn Error + 'static)) -> Option<&'a E> {
    link.downcast_ref::<E>()
        .or_else(|| link.downcast_ref::<Arc<E>>().map(AsRef::as_ref))
        .or_else(|| link.downcast_ref::<Box<E>>().map(AsRef::as_ref))
}
