//! The little of Markdown that the pages' checks need: links, headings, marked blocks, table rows.

/// A link's target and the line it stands on.
pub(crate) struct Link {
    pub(crate) line: usize,
    pub(crate) target: String,
}

/// Lines outside fenced code, with their numbers from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fence && !fenced).then_some((number + 1, line))
    })
}

/// Inline links, code left out.
pub(crate) fn links(text: &str) -> Vec<Link> {
    let mut found = Vec::new();
    for (line, prose) in prose(text) {
        let outside_code: String = prose.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for part in outside_code.split("](").skip(1) {
            if let Some(end) = part.find(')') {
                found.push(Link { line, target: part[..end].to_owned() });
            }
        }
    }
    found
}

/// The anchors that a page's headings get when it is rendered.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text).filter(|(_, line)| line.starts_with('#'));
    headings
        .map(|(_, line)| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// What stands between `<!-- name -->` and `<!-- /name -->`; empty when one of them is missing.
pub(crate) fn block<'a>(text: &'a str, name: &str) -> &'a str {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let inside = text.split_once(&open).and_then(|(_, rest)| rest.split_once(&close));
    inside.map_or("", |(inside, _)| inside)
}

/// The cells of a table, its head left out.
pub(crate) fn rows(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    lines.skip_while(|line| !line.starts_with("|-")).skip(1).map(cells).collect()
}

/// What stands between backticks.
pub(crate) fn code_spans(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn links_in_code_are_no_links() {
    let text = "See [a](x.md) and [b](y.md#z).\n`[c](no.md)`\n```\n[d](no.md)\n```\n[e](w.md)\n";
    let found: Vec<_> = links(text).into_iter().map(|link| (link.line, link.target)).collect();
    assert_eq!(found, [(1, "x.md".to_owned()), (1, "y.md#z".to_owned()), (6, "w.md".to_owned())]);
}

#[test]
fn anchors_follow_the_headings() {
    assert_eq!(anchors("# A\n## What it's *for*: `x_y`\n```\n# no\n```\n"), ["a", "what-its-for-x_y"]);
}

#[test]
fn a_block_and_its_rows() {
    let text = "x\n<!-- t -->\n| a | b |\n|---|---|\n| 1 | `p` and `q` |\n<!-- /t -->\n| 2 | r |\n";
    let rows = rows(block(text, "t"));
    assert_eq!(rows, [["1".to_owned(), "`p` and `q`".to_owned()]]);
    assert_eq!(code_spans(&rows[0][1]), ["p", "q"]);
    assert_eq!(block(text, "u"), "");
}
