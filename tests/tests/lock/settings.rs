//! The operator guide says what the code says.

use std::path::Path;

use moorline_lock_core::SETTINGS;

fn guide() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operator-guide.md")).unwrap()
}

/// The rows of the table between the settings marks: cells without their code quotes.
fn rows(page: &str) -> Vec<Vec<String>> {
    let block = page.split("<!-- settings -->").nth(1).unwrap().split("<!-- /settings -->").next().unwrap();
    let cells = |line: &str| {
        line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect::<Vec<_>>()
    };
    // The first two lines are the head and its rule.
    block.trim().lines().skip(2).map(cells).collect()
}

#[test]
fn the_guides_settings_are_the_codes() {
    let expected: Vec<_> = SETTINGS
        .iter()
        .map(|setting| {
            vec![
                setting.key.to_owned(),
                setting.env.join(", "),
                setting.default.to_owned(),
                setting.meaning.to_owned(),
            ]
        })
        .collect();
    assert_eq!(rows(&guide()), expected);
}

#[test]
fn the_guide_says_that_an_age_never_removes_a_lock() {
    let page = guide().replace('\n', " ");
    assert!(page.contains("A lock whose owner is alive is never removed."));
    assert!(page.contains(
        "`staleMs` and `maxHoldMs` decide when a live lock is *reported*, never when it is removed."
    ));
    for setting in SETTINGS.iter().filter(|setting| ["staleMs", "maxHoldMs"].contains(&setting.key)) {
        assert!(setting.meaning.contains("it is never removed for it"), "{}", setting.key);
    }
    // Every setting has its line in the table of what it does and does not do.
    let does =
        page.split("## What a setting does and does not do").nth(1).unwrap().split("## ").next().unwrap();
    for setting in SETTINGS {
        assert!(does.contains(&format!("| `{}", setting.key)), "{}", setting.key);
    }
}

/// The page's default column is true of the code's defaults, not only of the code's table.
#[test]
fn the_stated_defaults_are_the_defaults() {
    let stated =
        SETTINGS.iter().map(|setting| (setting.key.to_owned(), setting.default.to_owned())).collect();
    let default = moorline_lock_core::LockConfig::default();
    assert_eq!(default.clone().overridden_by_entries(&stated).unwrap(), default);
}
