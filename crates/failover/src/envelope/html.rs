//! The few words of an HTML page that say what happened: its title, its first headline, or how it begins.

/// Bytes of a page that are looked at.
const MAX_PAGE: usize = 4096;
/// Bytes of a page's text when it has neither title nor headline.
const BEGINNING: usize = 256;

/// Whether a body is a page.
pub(super) fn is_page(body: &[u8]) -> bool {
    body.first() == Some(&b'<')
}

/// The telling parts.
pub(super) fn telling(page: &[u8]) -> impl Iterator<Item = &[u8]> {
    let page = &page[..page.len().min(MAX_PAGE)];
    let title = element(page, b"<title");
    let headline = element(page, b"<h1");
    let beginning = (title.is_none() && headline.is_none()).then(|| {
        let text = element(page, b"<body").or_else(|| element(page, b"<")).unwrap_or(page);
        &text[..text.len().min(BEGINNING)]
    });
    [title, headline, beginning].into_iter().flatten()
}

/// What stands in the first element that opens with `tag`, up to the next tag.
fn element<'p>(page: &'p [u8], tag: &[u8]) -> Option<&'p [u8]> {
    let at = page.windows(tag.len()).position(|window| window.eq_ignore_ascii_case(tag))?;
    let open = at + memchr::memchr(b'>', page.get(at..)?)? + 1;
    let rest = page.get(open..)?.trim_ascii_start();
    let end = memchr::memchr(b'<', rest).unwrap_or(rest.len());
    let text = rest.get(..end)?.trim_ascii();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_and_headline_are_found() {
        let page = b"<!DOCTYPE html>\n<html><head><TITLE>502 Bad Gateway</TITLE></head><body><h1>Sorry</h1><p>rate limit</p>";
        assert_eq!(telling(page).collect::<Vec<_>>(), [&b"502 Bad Gateway"[..], b"Sorry"]);
    }

    #[test]
    fn a_bare_page_tells_how_it_begins() {
        assert_eq!(telling(b"<html><body>down</body></html>").collect::<Vec<_>>(), [&b"down"[..]]);
        assert!(telling(b"<").next().is_some());
        assert!(is_page(b"<") && !is_page(b""));
    }
}
