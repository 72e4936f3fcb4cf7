//! docs/announce.md prints the numbers and the rules; this keeps the page and the code the same.

use std::{collections::BTreeMap, fmt::Write as _, path::Path, time::Duration};

use moorline_announce::{Limits, delivery_rules};

const BEGIN: &str = "<!-- rendered from the code -->\n";
const END: &str = "<!-- end of the rendered part -->\n";

fn rendered() -> String {
    let mut page = String::new();
    let limits = Limits::standard().unwrap();
    let time = |time: Duration| match time.as_secs() {
        seconds if seconds > 0 && seconds % 86_400 == 0 => format!("{} d", seconds / 86_400),
        seconds if seconds > 0 && seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds if seconds > 0 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        0 => format!("{} ms", time.as_millis()),
        seconds => format!("{seconds} s"),
    };
    let first = |schedule: &moorline_retry::Schedule, count| {
        schedule.delays().take(count).map(time).collect::<Vec<_>>().join(", ")
    };
    page.push_str("### Numbers\n\n| what | value |\n|---|---|\n");
    let later = "then 15 s up to 5 min, each within 20 % of its step";
    let rows = [
        ("delays between sends, and between lookups", format!("{}, {later}", first(&limits.delays, 3))),
        ("delays while the requester compacts", format!("{}, {later}", first(&limits.compaction_delays, 4))),
        ("expiry (stated pauses and parking do not count)", time(limits.expiry)),
        ("sends before it may expire", limits.fewest_sends.to_string()),
        ("sends after which it is given up", limits.most_sends.to_string()),
        ("lookups after which it is given up", limits.most_lookups.to_string()),
        ("longest pause that a channel may ask for", time(limits.longest_stated)),
        ("a settled announce is kept for", time(limits.retention)),
        ("one send or lookup may take", time(limits.send_within)),
        ("under way at once", limits.at_once.to_string()),
        ("least time between two starts", time(limits.start_every)),
        ("time to finish after a stop", time(limits.drain)),
    ];
    for (what, value) in rows {
        writeln!(page, "| {what} | {value} |").unwrap();
    }
    page.push_str("\n### Delivery rules\n");
    let (mut channels, mut sources) = (Vec::new(), BTreeMap::new());
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for rule in delivery_rules() {
        if !channels.contains(&rule.channel) {
            channels.push(rule.channel);
        }
        sources.insert(rule.channel, rule.source);
        let scope = rule.scope.map_or("", |scope| scope.as_str());
        groups
            .entry((rule.channel, rule.code.name(), rule.effect.as_str(), scope))
            .or_default()
            .push(rule.matches);
    }
    for channel in channels {
        write!(
            page,
            "\n**{channel}** ({})\n\n| code | effect | scope | matches |\n|---|---|---|---|\n",
            sources[channel]
        )
        .unwrap();
        for ((_, code, effect, scope), matches) in groups.iter().filter(|(key, _)| key.0 == channel) {
            let matches = matches.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            writeln!(page, "| {code} | {effect} | {scope} | {matches} |").unwrap();
        }
    }
    page.push('\n');
    page
}

#[test]
fn the_page_says_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/announce.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (old, after) = rest.split_once(END).unwrap();
    let new = rendered();
    if old != new {
        let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("announce.md");
        std::fs::write(&fresh, format!("{before}{BEGIN}{new}{END}{after}")).unwrap();
        panic!("docs/announce.md is stale; the fresh page is {}", fresh.display());
    }
}
