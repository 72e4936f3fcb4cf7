//! Walking a `source()` chain, link by link, with the links that `source()` alone does not show.
//!
//! `io::Error::source` skips the error it was made from, so a type carried directly by `io::Error::other` never appears
//! in a plain `source()` walk; this walk steps into it. The option not taken is asking every caller to remember that.
//!
//! What must stay true: the walk allocates nothing, does not recurse and ends after [`MAX_LINKS`] links, so a cyclic or
//! endless chain costs time that is known.

use std::{error::Error, io, iter};

/// Links looked at. Real chains have under twenty; a longer one is a cycle or hostile, and is cut.
pub(crate) const MAX_LINKS: usize = 4096;

/// The links of `error`, itself first.
pub(crate) fn links<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |link: &&'a (dyn Error + 'static)| {
        let link: &'a (dyn Error + 'static) = *link;
        match link.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            // From here the carried error's own `source` continues the chain, which is what `io::Error::source` gives.
            Some(carried) => Some(carried as &(dyn Error + 'static)),
            None => link.source(),
        }
    })
    .take(MAX_LINKS)
}

/// The outermost link that is an `E`, or a shared or boxed one.
///
/// `Arc<E>` and `Box<E>` are errors of their own whose `source()` skips `E`, so they are asked as well.
pub(crate) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    links(error).find_map(as_type::<E>)
}

/// `link` as an `E`, through `Arc` and `Box`.
pub(crate) fn as_type<'a, E: Error + 'static>(link: &'a (dyn Error + 'static)) -> Option<&'a E> {
    link.downcast_ref::<E>()
        .or_else(|| link.downcast_ref::<std::sync::Arc<E>>().map(AsRef::as_ref))
        .or_else(|| link.downcast_ref::<Box<E>>().map(AsRef::as_ref))
}
