//! Transcripts as other programs write them.

use moorline_runner::{Kind, Message, RunOutcome, read_session};
use serde_json::json;

use crate::support::{Scripted, Site};

fn write(site: &Site, lines: &[&str]) {
    std::fs::write(&site.path, lines.join("\n")).unwrap();
}

const HEADER: &str = r#"{"type":"session","version":3,"id":"s1","timestamp":"2026-05-01T00:00:00.000Z","cwd":"/w","future":{"b":1,"a":[2]}}"#;

#[tokio::test]
async fn what_is_there_is_kept_byte_for_byte() {
    let site = Site::new();
    let text = format!(
        "{HEADER}\r\n\r\n{}\r\n{{broken\r\n{}\n\u{0}\u{0}\n{}\n",
        r#"{ "type":"message" , "id":"a","parentId":null,"timestamp":"t","zz":1.0e3,"message":{"role":"user","content":"caf\u00e9"}}"#,
        r#"{"type":"something_new","id":"b","parentId":"a","timestamp":"t","x":{"y":[1,2,{"z":null}]}}"#,
        r#"["not","an","object"]"#,
    );
    std::fs::write(&site.path, &text).unwrap();
    let session = read_session(&site.path).unwrap();
    assert_eq!(session.leaf(), Some("b"));
    assert_eq!(session.broken_lines(), 3);
    assert_eq!(session.branch().map(|entry| entry.kind()).collect::<Vec<_>>(), [Kind::Message, Kind::Other]);
    assert_eq!(session.header().unwrap().raw, HEADER);
    let outcome = site.run(&site.turn("r1", "hi"), &Scripted::says("ok")).await;
    assert!(matches!(outcome, RunOutcome::Replied(_)), "{outcome:?}");
    let after = std::fs::read(&site.path).unwrap();
    assert!(after.starts_with(text.as_bytes()), "nothing that was there is touched");
    assert_eq!(site.entries().iter().rev().nth(1).unwrap().parent_id(), Some("b"));
}

#[tokio::test]
async fn the_branch_is_the_way_to_the_last_entry_that_is_no_side_entry() {
    let site = Site::new();
    write(
        &site,
        &[
            HEADER,
            r#"{"type":"message","id":"1","parentId":null,"message":{"role":"user","content":"a"}}"#,
            r#"{"type":"message","id":"2","parentId":"1","message":{"role":"assistant","content":"b"}}"#,
            r#"{"type":"message","id":"x","parentId":"1","message":{"role":"assistant","content":"other branch"}}"#,
            r#"{"type":"message","id":"3","parentId":"2","message":{"role":"user","content":"c"}}"#,
            r#"{"type":"message","id":"s","parentId":"2","appendMode":"side","message":{"role":"assistant","content":"side"}}"#,
            "",
        ],
    );
    let session = read_session(&site.path).unwrap();
    let ids: Vec<_> = session.branch().filter_map(|entry| entry.id()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(session.messages().iter().map(Message::text).collect::<Vec<_>>(), ["a", "b", "c"]);
    site.run(&site.turn("r1", "hi"), &Scripted::says("ok")).await;
    let asked = site.entries().into_iter().rev().nth(1).unwrap();
    assert_eq!(asked.parent_id(), Some("3"), "a run goes on from the leaf, not from the last line");
}

#[tokio::test]
async fn a_leaf_entry_moves_the_leaf_if_its_target_is_there() {
    let base = [
        HEADER,
        r#"{"type":"message","id":"1","parentId":null,"message":{"role":"user","content":"a"}}"#,
        r#"{"type":"message","id":"2","parentId":"1","message":{"role":"assistant","content":"b"}}"#,
    ];
    for (control, leaf) in [
        (r#"{"type":"leaf","id":"l","parentId":"2","targetId":"1","appendParentId":"1"}"#, Some("1")),
        (r#"{"type":"leaf","id":"l","parentId":"2","targetId":null}"#, None),
        (r#"{"type":"leaf","id":"l","parentId":"2","targetId":"nowhere"}"#, Some("2")),
        (r#"{"type":"leaf","id":"l","parentId":"2"}"#, Some("2")),
    ] {
        let site = Site::new();
        write(&site, &[&base[..], &[control, ""]].concat());
        assert_eq!(read_session(&site.path).unwrap().leaf(), leaf, "{control}");
        site.run(&site.turn("r1", "hi"), &Scripted::says("ok")).await;
        let user = site.entries().into_iter().rev().nth(1).unwrap();
        assert_eq!(user.parent_id(), leaf, "{control}");
    }
}

#[tokio::test]
async fn what_was_compacted_is_told_as_its_summary() {
    let site = Site::new();
    write(
        &site,
        &[
            HEADER,
            r#"{"type":"message","id":"1","parentId":null,"message":{"role":"user","content":"old"}}"#,
            r#"{"type":"message","id":"2","parentId":"1","message":{"role":"user","content":"kept"}}"#,
            r#"{"type":"compaction","id":"3","parentId":"2","summary":"they talked","firstKeptEntryId":"2","tokensBefore":9}"#,
            r#"{"type":"message","id":"4","parentId":"3","message":{"role":"user","content":"new"}}"#,
            "",
        ],
    );
    let messages = read_session(&site.path).unwrap().messages();
    let texts: Vec<_> = messages.iter().map(Message::text).collect();
    assert!(texts[0].contains("they talked"));
    assert_eq!(texts[1..], ["kept", "new"]);
}

#[tokio::test]
async fn an_announcement_that_came_while_a_tool_worked_is_told_behind_its_result() {
    let site = Site::new();
    write(
        &site,
        &[
            HEADER,
            r#"{"type":"message","id":"1","parentId":null,"message":{"role":"user","content":"do"}}"#,
            r#"{"type":"message","id":"2","parentId":"1","message":{"role":"assistant","content":[{"type":"toolCall","id":"c","name":"t","arguments":{}}]}}"#,
            r#"{"type":"custom_message","id":"a","parentId":"2","customType":"x","content":"child done","moorline":{"run":"child","as":"announce"}}"#,
            r#"{"type":"message","id":"3","parentId":"2","message":{"role":"toolResult","toolCallId":"c","toolName":"t","content":"result"}}"#,
            "",
        ],
    );
    let messages = read_session(&site.path).unwrap().messages();
    assert_eq!(messages.iter().map(Message::text).collect::<Vec<_>>(), ["do", "", "result", "child done"]);
    assert!(matches!(messages[2], Message::ToolResult { is_error: false, .. }));
}

#[tokio::test]
async fn reading_stops_at_what_the_latest_compaction_of_the_branch_kept() {
    let site = Site::new();
    let message = |id: &str, parent: &str| {
        format!(
            r#"{{"type":"message","id":"{id}","parentId":{parent},"message":{{"role":"user","content":"{id}"}}}}"#
        )
    };
    let compaction = |parent: &str| {
        format!(
            r#"{{"type":"compaction","id":"c","parentId":"{parent}","summary":"s","firstKeptEntryId":"2"}}"#
        )
    };
    let one = message("1", "null");
    let two = message("2", "\"1\"");
    write(&site, &[HEADER, &one, &two, &compaction("2"), &message("3", "\"c\""), ""]);
    let session = read_session(&site.path).unwrap();
    assert_eq!(session.branch().filter_map(|entry| entry.id()).collect::<Vec<_>>(), ["2", "c", "3"]);
    assert!(session.entries().iter().all(|entry| entry.id() != Some("1")), "what was compacted is not read");
    // On another branch it is no place to stop.
    write(&site, &[HEADER, &one, &two, &compaction("1"), &message("3", "\"2\""), ""]);
    let session = read_session(&site.path).unwrap();
    assert_eq!(session.branch().filter_map(|entry| entry.id()).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert!(!session.is_cut());
}

#[tokio::test]
async fn a_leaf_entry_that_points_forward_was_never_in_force() {
    let site = Site::new();
    write(
        &site,
        &[
            HEADER,
            r#"{"type":"message","id":"1","parentId":null,"message":{"role":"user","content":"a"}}"#,
            r#"{"type":"leaf","id":"l","parentId":"1","targetId":"s"}"#,
            r#"{"type":"message","id":"s","parentId":"1","appendMode":"side","message":{"role":"user","content":"b"}}"#,
            "",
        ],
    );
    assert_eq!(read_session(&site.path).unwrap().leaf(), Some("1"));
}

#[tokio::test]
async fn a_list_of_the_first_generation_stays_a_list() {
    let site = Site::new();
    write(
        &site,
        &[
            r#"{"type":"session","id":"s1","timestamp":"t","cwd":"/"}"#,
            r#"{"type":"message","timestamp":"t","message":{"role":"user","content":"a"}}"#,
            r#"{"type":"message","timestamp":"t","message":{"role":"assistant","content":[{"type":"text","text":"b"}]}}"#,
            "",
        ],
    );
    let model = Scripted::new([crate::support::play(|request| {
        assert_eq!(request.messages.iter().map(Message::text).collect::<Vec<_>>(), ["a", "b", "hi"]);
        Ok(moorline_runner::ModelReply::text("ok"))
    })]);
    let outcome = site.run(&site.turn("r1", "hi"), &model).await;
    assert!(matches!(&outcome, RunOutcome::Replied(reply) if reply.entry_id.is_none()), "{outcome:?}");
    assert!(site.entries().iter().all(|entry| entry.id().is_none()));
    assert_eq!(read_session(&site.path).unwrap().messages().len(), 4);
}

#[tokio::test]
async fn rich_content_reaches_the_model_as_it_is() {
    let site = Site::new();
    let image = json!({"type": "message", "id": "1", "parentId": null, "message": {"role": "user",
        "content": [{"type": "text", "text": "look"}, {"type": "image", "data": "AAAA", "mimeType": "image/png"}]}});
    let thought = json!({"type": "message", "id": "2", "parentId": "1", "message": {"role": "assistant",
        "content": [{"type": "thinking", "thinking": "hm", "thinkingSignature": "sig"}, {"type": "text", "text": "a cat"}]}});
    write(&site, &[HEADER, &image.to_string(), &thought.to_string(), ""]);
    let messages = read_session(&site.path).unwrap().messages();
    let Message::User { raw, .. } = &messages[0] else { panic!() };
    assert_eq!(raw["content"][1]["data"], "AAAA");
    let Message::Assistant { raw, text, .. } = &messages[1] else { panic!() };
    assert_eq!((raw["content"][0]["thinkingSignature"].as_str(), text.as_str()), (Some("sig"), "a cat"));
}

#[tokio::test]
async fn strange_trees_end_a_branch_and_are_no_error() {
    let site = Site::new();
    write(
        &site,
        &[
            HEADER,
            r#"{"type":"message","id":"1","parentId":"2","message":{"role":"user","content":"a"}}"#,
            r#"{"type":"message","id":"2","parentId":"1","message":{"role":"user","content":"b"}}"#,
            "",
        ],
    );
    let session = read_session(&site.path).unwrap();
    assert!(session.is_cut());
    assert_eq!(session.branch().count(), 2);
    write(
        &site,
        &[HEADER, r#"{"type":"message","id":"2","parentId":"gone","message":{"role":"user","content":"b"}}"#],
    );
    assert_eq!(read_session(&site.path).unwrap().branch().count(), 1);
    write(&site, &[""]);
    assert!(read_session(&site.path).unwrap().is_empty());
}

#[tokio::test]
async fn a_torn_tail_is_cut_kept_and_the_session_goes_on() {
    let site = Site::new();
    write(
        &site,
        &[
            HEADER,
            r#"{"type":"message","id":"1","parentId":null,"message":{"role":"user","content":"a"}}"#,
            r#"{"type":"message","id":"2","pare"#,
        ],
    );
    assert_eq!(read_session(&site.path).unwrap().leaf(), Some("1"), "a reader looks past it");
    let outcome = site.run(&site.turn("r1", "hi"), &Scripted::says("ok")).await;
    assert!(matches!(outcome, RunOutcome::Replied(_)));
    let torn: Vec<_> = std::fs::read_dir(site.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(".torn-"))
        .collect();
    assert_eq!(std::fs::read(&torn[0]).unwrap(), br#"{"type":"message","id":"2","pare"#);
    assert_eq!(read_session(&site.path).unwrap().broken_lines(), 0);
}
