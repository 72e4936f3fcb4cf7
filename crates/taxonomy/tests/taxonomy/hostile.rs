//! Values that nobody sends by accident: endless chains, very deep and very wide values, long texts. Reading them ends,
//! overflows nothing and says that it did not look at everything.

use moorline_taxonomy::{
    Mark, Wire,
    foreign::{Reading, inspect, read, read_error},
};
use serde_json::{Map, Value, json};

/// Takes a chain of causes apart without recursing, since dropping it as a whole would.
fn unwind(mut value: Value) {
    while let Some(cause) = value.get_mut("cause").map(Value::take) {
        value = cause;
    }
}

fn chain(leaf: Value, depth: usize) -> Value {
    let mut value = leaf;
    for _ in 0..depth {
        let mut object = Map::new();
        object.insert("name".to_owned(), "Error".into());
        object.insert("message".to_owned(), "wrapped".into());
        object.insert("cause".to_owned(), value);
        value = Value::Object(object);
    }
    value
}

#[test]
fn a_chain_of_a_hundred_thousand_causes_is_read_to_the_bound() {
    let lock = json!({ "code": "OPENCLAW_SESSION_WRITE_LOCK_STALE" });
    for depth in [60, 400, 1_020] {
        let value = chain(lock.clone(), depth);
        assert!(matches!(read(&value), Reading::Ours(_)), "{depth} causes are within the bound");
        unwind(value);
    }
    let value = chain(lock, 100_000);
    let inspection = inspect(&value);
    // Beyond the bound nothing is known, and unknown never walks a chain.
    assert!(matches!(inspection.reading, Reading::Unknown));
    assert!(inspection.cut);
    unwind(value);
}

#[test]
fn the_outermost_error_of_an_endless_chain_still_decides() {
    let mut value = chain(json!({ "message": "leaf" }), 100_000);
    value["code"] = "file_lock_timeout".into();
    assert!(matches!(read(&value), Reading::Ours(_)));
    unwind(value);
}

#[test]
fn a_wide_list_does_not_starve_the_cause_beside_it() {
    let value = json!({
        "errors": vec![json!({ "message": "other", "errors": vec![json!({ "message": "x" }); 100] }); 5000],
        "cause": { "code": "file_lock_timeout" },
    });
    let inspection = inspect(&value);
    assert!(matches!(inspection.reading, Reading::Ours(_)));
    assert!(inspection.cut);
}

#[test]
fn what_was_not_looked_at_is_said() {
    let wide = |entries: usize| json!({ "errors": vec!["x"; entries] });
    assert!(!inspect(&wide(64)).cut);
    assert!(inspect(&wide(65)).cut);
    let many: Map<String, Value> = (0..300).map(|at| (format!("key{at}"), Value::Null)).collect();
    assert!(inspect(&Value::Object(many)).cut);
    let long = json!(format!("[{}]", "1,".repeat(10_000)));
    assert!(inspect(&long).cut, "JSON in a text longer than is parsed");
}

#[test]
fn nested_lists_and_carriers_of_every_kind_end() {
    let mut value = json!("leaf");
    for _ in 0..100 {
        value = json!([[[value]]]);
    }
    assert!(matches!(read(&value), Reading::Unknown));
    let mut value = json!({ "code": "file_lock_timeout" });
    for carrier in
        ["error", "data", "details", "reason", "inner", "suppressed", "response", "body", "message"]
            .into_iter()
            .cycle()
            .take(120)
    {
        value = json!({ carrier: value });
    }
    assert!(matches!(read(&value), Reading::Ours(_)));
}

#[test]
fn text_that_is_json_a_hundred_thousand_levels_deep_is_refused_by_the_parser() {
    for text in
        ["[".repeat(100_000), "{\"cause\":".repeat(100_000), format!("429 {}", "{\"error\":".repeat(4000))]
    {
        let value = json!({ "message": text, "cause": { "code": "file_lock_timeout" } });
        let reading = read(&value);
        let provider = text.starts_with("429");
        assert_eq!(matches!(reading, Reading::Provider { .. }), provider, "{reading:?}");
        assert_eq!(matches!(reading, Reading::Ours(_)), !provider, "{reading:?}");
    }
    // The deepest that the parser takes, read and dropped again.
    let deepest =
        format!("{}{}{}", "{\"cause\":".repeat(126), "{\"code\":\"file_lock_timeout\"}", "}".repeat(126));
    assert!(matches!(read(&json!(deepest)), Reading::Ours(_)));
}

#[test]
fn json_inside_json_is_followed_a_few_levels_and_no_further() {
    let mut value = json!({ "code": "file_lock_timeout" });
    for level in 0..8 {
        let within = level <= 4;
        assert_eq!(matches!(read(&value), Reading::Ours(_)), within, "level {level}");
        value = json!({ "message": value.to_string() });
    }
}

#[test]
fn a_megabyte_of_text_costs_what_its_head_costs() {
    let units = [
        "a",
        ": ",
        "Error: ",
        "failed: ",
        "429 ",
        "error=",
        "\u{26a0}\u{fe0f} ",
        "[x] ",
        "\n",
        "All models failed: ",
        "| ",
        "(os error ",
        "{",
        "Caused by:\n",
    ];
    for unit in units {
        let text = unit.repeat(1_000_000 / unit.len());
        let value = json!({ "message": text, "cause": { "message": text, "errors": vec![text.clone(); 3] } });
        // That it ends is the assertion: a scan of the whole, or a backtracking one, takes minutes here.
        let _ = read(&value);
    }
    let value = json!(format!("session file locked (timeout 5ms): {}", "x".repeat(1_000_000)));
    assert!(matches!(read(&value), Reading::Ours(_)));
}

/// An error that is its own source.
#[derive(Debug)]
struct Cyclic;

impl std::fmt::Display for Cyclic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("again")
    }
}

impl std::error::Error for Cyclic {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self)
    }
}

/// An error with a source of its own kind.
#[derive(Debug, thiserror::Error)]
#[error("link")]
struct Link(#[source] Option<Box<Link>>);

#[test]
fn cyclic_and_endless_rust_chains_end() {
    assert!(Mark::find(&Cyclic).is_none());
    assert_eq!(read_error(&Cyclic), None);
    assert_eq!(Wire::of(&Cyclic).code.to_string(), "local.unclassified");
    let mut link = Link(None);
    for _ in 0..100_000 {
        link = Link(Some(Box::new(link)));
    }
    assert!(Mark::find(&link).is_none());
    assert_eq!(read_error(&link), None);
    assert!(Wire::of(&link).causes.len() <= 32);
    // Dropping the chain recurses, so it is taken apart link by link.
    while let Some(next) = link.0.take() {
        link = *next;
    }
}
