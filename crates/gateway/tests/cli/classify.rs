//! `moorline classify`.

use std::{io::Write, process::Stdio};

use serde_json::{Value, json};

use crate::{code, json as read, moorline};

fn classify(args: &[&str], input: &[u8]) -> (i32, Vec<Value>) {
    let dir = tempfile::tempdir().unwrap();
    let mut child = moorline(dir.path())
        .arg("classify")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let lines =
        output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(read).collect();
    (code(&output), lines)
}

const KEYS: [&str; 11] = [
    "code",
    "domain",
    "reason",
    "scope",
    "retry",
    "retryAfterMs",
    "evidence",
    "certainty",
    "rule",
    "causes",
    "verdicts",
];

#[test]
fn every_line_has_its_answer_with_every_key() {
    let input = b"{\"status\":429,\"provider\":\"openai\"}\n\"session file locked (timeout 60000ms): pid=1 alive=true\"\n{broken\n\n[]\n{\"channel\":\"telegram\",\"status\":429,\"text\":\"Too Many Requests: retry after 7\"}\n\xff\xfe\nnull";
    let (exit, answers) = classify(&["--json"], input);
    assert_eq!(exit, 65);
    assert_eq!(answers.len(), 8);
    for answer in &answers {
        for key in KEYS {
            assert!(answer.get(key).is_some(), "{key} is missing in {answer}");
        }
        for consumer in ["runner", "failover", "promptCache", "announce", "qa"] {
            assert!(answer["verdicts"][consumer].is_string(), "{answer}");
        }
    }
    assert_eq!(answers[0]["code"], "provider.rate_limit");
    assert_eq!(answers[1]["code"], "coordination.lock_timeout");
    assert_eq!(answers[1]["verdicts"]["qa"], "retry");
    assert_eq!(answers[2]["rule"], "input.not-json");
    assert_eq!(
        (&answers[5]["code"], &answers[5]["retryAfterMs"]),
        (&json!("delivery.rate_limited"), &json!(7000))
    );
}

#[test]
fn a_channel_is_known_by_the_shape_of_its_answer_and_a_local_text_is_not() {
    let input = br#"{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}
{"text":"DiscordAPIError[50013]: Missing Permissions"}
{"errcode":"M_FORBIDDEN","error":"User @bot:x not in room !r:x"}
{"text":"gateway closed (1012): service restart"}
{"message":"user not found"}
{"message":"connect ECONNREFUSED 127.0.0.1:1"}
"#;
    let (exit, answers) = classify(&["--json"], input);
    let codes: Vec<_> = answers.iter().map(|answer| answer["code"].as_str().unwrap()).collect();
    assert_eq!(exit, 0);
    assert_eq!(
        codes,
        [
            "delivery.target_gone",
            "delivery.auth",
            "delivery.target_gone",
            "delivery.transient",
            "local.unclassified",
            "local.unclassified"
        ]
    );
}

#[test]
fn hostile_lines_are_answered_and_bounded() {
    let deep = format!("{}1{}\n", "[".repeat(5000), "]".repeat(5000));
    let long = format!("{{\"message\":\"{}\"}}\n", "session file locked ".repeat(50_000));
    let endless = vec![b'x'; 5 << 20];
    let mut input = deep.into_bytes();
    input.extend(long.into_bytes());
    input.extend(endless);
    input.extend(b"\n{\"code\":\"ENOSPC\"}\n");
    let (exit, answers) = classify(&["--json"], &input);
    assert_eq!(exit, 65);
    assert_eq!(answers.len(), 4);
    assert_eq!(answers[3]["code"], "local.disk_full");
}

#[test]
fn a_lock_error_of_a_delivery_is_still_a_lock_error() {
    let (exit, answers) = classify(
        &["--surface", "delivery", "--json"],
        b"{\"channel\":\"slack\",\"cause\":{\"code\":\"file_lock_stale\",\"message\":\"file lock stale for x\"}}\n{\"channel\":\"whatsapp\",\"code\":\"131031\",\"text\":\"Account has been locked\"}\n",
    );
    assert_eq!(exit, 0);
    assert_eq!(answers[0]["code"], "coordination.lock_stale");
    assert_eq!(answers[1]["code"], "delivery.auth");
}

#[test]
fn a_lock_error_beneath_a_thousand_causes_is_found_or_bounded_and_never_a_crash() {
    let nested = |levels: usize| {
        let mut text = "{\"cause\":".repeat(levels);
        text.push_str("{\"code\":\"file_lock_timeout\",\"message\":\"file lock timeout for /x\"}");
        text.push_str(&"}".repeat(levels));
        text.push('\n');
        text
    };
    let input: String = [100, 200, 400, 1000, 30_000].map(nested).concat();
    let (exit, answers) = classify(&["--json"], input.as_bytes());
    assert_eq!(exit, 65);
    let codes: Vec<&str> = answers.iter().map(|answer| answer["code"].as_str().unwrap()).collect();
    // As deep as a line is read it is looked at; beyond that, the line is refused.
    assert_eq!(codes[..4], ["coordination.lock_timeout"; 4], "{codes:?}");
    assert_eq!(answers[4]["rule"], "input.not-json");
}

#[test]
fn no_channel_spoke_where_trust_failed_or_the_client_gave_up() {
    let lines = [
        (
            json!({"channel": "matrix", "name": "FetchError", "code": "DEPTH_ZERO_SELF_SIGNED_CERT", "message": "failed"}),
            "local.tls_trust",
        ),
        (json!({"channel": "discord", "name": "AbortError", "message": "aborted"}), "delivery.uncertain"),
        (json!({"channel": "discord", "code": "cancelled.user"}), "cancelled.user"),
    ];
    let input = lines.iter().map(|(line, _)| format!("{line}\n")).collect::<String>();
    let (_, answers) = classify(&["--json", "--surface", "delivery"], input.as_bytes());
    for ((line, code), answer) in lines.iter().zip(&answers) {
        assert_eq!(answer["code"], *code, "{line}");
    }
    assert_eq!(answers.len(), lines.len());
}
