//! What happens to a transcript while its run is away, and what the run makes of it.

use std::io::{Read, Seek, SeekFrom, Write};

use moorline_runner::{AttemptError, TakeoverCause};
use serde_json::{Value, json};

use crate::support::{
    Site, attempt, foreign, foreign_raw, foreign_user, leaf_of, replace, rewrite, says, started,
};

/// Sends a run away from a started session, lets `meanwhile` happen, and brings it back; then it says something. Gives the
/// parent of what it said, or why it may not.
async fn away(site: &Site, meanwhile: impl FnOnce(&Site)) -> Result<Option<String>, AttemptError> {
    let mut locked = attempt(site, "r1").await;
    says(&mut locked, "r1", "before").await;
    let released = locked.release_for_prompt().await?;
    meanwhile(site);
    let before = std::fs::read(&site.path).unwrap_or_default();
    match released.reacquire_after_prompt().await {
        Ok((mut locked, _)) => {
            says(&mut locked, "r1", "after").await;
            locked.finish().await?;
            assert!(site.lock_is_free());
            let entry = site.entries().into_iter().find(|entry| entry.id() == Some("r1-after")).unwrap();
            Ok(entry.parent_id().map(str::to_owned))
        }
        Err(error) => {
            assert_eq!(
                std::fs::read(&site.path).unwrap_or_default(),
                before,
                "nothing is written after a takeover"
            );
            assert!(site.lock_is_free());
            Err(error)
        }
    }
}

async fn merged(meanwhile: impl FnOnce(&Site)) {
    let site = Site::new();
    started(&site);
    let parent = away(&site, meanwhile).await.unwrap();
    assert_eq!(parent.as_deref(), Some("r1-before"), "ours goes on from ours");
}

async fn taken_over(meanwhile: impl FnOnce(&Site)) -> TakeoverCause {
    let site = Site::new();
    started(&site);
    let error = away(&site, meanwhile).await.unwrap_err();
    let AttemptError::Takeover { cause, .. } = error else { panic!("{error:?}") };
    cause
}

fn entry(mut value: Value, site: &Site) -> Value {
    value["id"] = format!("x{}", site.entries().len()).into();
    value["parentId"] = leaf_of(&site.path).into();
    value["timestamp"] = "2026-05-01T00:00:00.000Z".into();
    value
}

fn mirror() -> Value {
    json!({"type": "message", "message": {"role": "assistant", "provider": "openclaw", "model": "delivery-mirror",
        "content": [{"type": "text", "text": "sent"}]}})
}

#[tokio::test]
async fn an_unchanged_transcript_is_no_takeover() {
    merged(|_| {}).await;
}

#[tokio::test]
async fn a_delivery_mirror_is_merged() {
    merged(|site| foreign(&site.path, &entry(mirror(), site))).await;
}

#[tokio::test]
async fn metadata_labels_and_names_are_merged() {
    for value in [
        json!({"type": "custom", "customType": "x", "data": {"a": 1}}),
        json!({"type": "label", "targetId": "u1", "label": "here"}),
        json!({"type": "session_info", "name": "a session"}),
    ] {
        merged(|site| foreign(&site.path, &entry(value, site))).await;
    }
}

#[tokio::test]
async fn a_side_entry_is_merged_whoever_wrote_it() {
    let user =
        json!({"type": "message", "appendMode": "side", "message": {"role": "user", "content": "aside"}});
    merged(|site| foreign(&site.path, &entry(user, site))).await;
    let leaf = json!({"type": "leaf", "targetId": "u1", "appendParentId": "u1", "appendMode": "side"});
    merged(|site| foreign(&site.path, &entry(leaf, site))).await;
}

#[tokio::test]
async fn several_entries_are_merged_together() {
    merged(|site| {
        for _ in 0..50 {
            foreign(&site.path, &entry(mirror(), site));
            foreign(&site.path, &entry(json!({"type": "custom", "customType": "x"}), site));
        }
        foreign_raw(&site.path, b"\n\r\n");
    })
    .await;
}

#[tokio::test]
async fn a_change_of_settings_stays_on_the_branch() {
    let site = Site::new();
    started(&site);
    let change = json!({"type": "model_change", "provider": "p", "modelId": "m"});
    let parent = away(&site, |site| foreign(&site.path, &entry(change, site))).await.unwrap();
    assert_eq!(parent.as_deref(), Some("x3"), "the branch goes through the change");
}

#[tokio::test]
async fn a_foreign_user_message_is_a_takeover() {
    let cause = taken_over(|site| foreign(&site.path, &foreign_user(&site.path, "me too"))).await;
    assert!(cause.words().contains("user message"), "{cause:?}");
}

#[tokio::test]
async fn a_foreign_message_after_metadata_is_a_takeover() {
    taken_over(|site| {
        foreign(&site.path, &entry(mirror(), site));
        foreign(&site.path, &foreign_user(&site.path, "me too"));
        foreign(&site.path, &entry(mirror(), site));
    })
    .await;
}

#[tokio::test]
async fn a_custom_message_of_somebody_else_is_a_takeover() {
    let value = json!({"type": "custom_message", "customType": "x", "content": "look", "display": true});
    taken_over(|site| foreign(&site.path, &entry(value, site))).await;
}

#[tokio::test]
async fn a_moved_leaf_is_a_takeover() {
    let leaf = json!({"type": "leaf", "targetId": "u1", "appendParentId": "u1"});
    taken_over(|site| foreign(&site.path, &entry(leaf, site))).await;
    let summary = json!({"type": "branch_summary", "fromId": "u1", "summary": "s"});
    taken_over(|site| foreign(&site.path, &entry(summary, site))).await;
}

#[tokio::test]
async fn a_truncated_transcript_is_a_takeover() {
    let cut = |site: &Site| {
        let bytes = std::fs::read(&site.path).unwrap();
        rewrite(&site.path, &bytes[..bytes.len() / 2]);
    };
    assert_eq!(taken_over(cut).await, TakeoverCause::Rewritten);
    assert_eq!(taken_over(|site| rewrite(&site.path, b"")).await, TakeoverCause::Rewritten);
}

#[tokio::test]
async fn a_removed_transcript_is_a_takeover() {
    let site = Site::new();
    started(&site);
    let error = away(&site, |site| std::fs::remove_file(&site.path).unwrap()).await.unwrap_err();
    assert!(matches!(error, AttemptError::Takeover { cause: TakeoverCause::Missing, .. }), "{error:?}");
}

#[tokio::test]
async fn a_replaced_transcript_with_other_contents_is_a_takeover() {
    let other = |site: &Site| {
        let text = std::fs::read_to_string(&site.path).unwrap();
        replace(&site.path, text.replace("\"hi\"", "\"ho\"").as_bytes());
    };
    assert_eq!(taken_over(other).await, TakeoverCause::Replaced);
}

#[tokio::test]
async fn a_replaced_transcript_with_the_same_contents_is_accepted() {
    merged(|site| replace(&site.path, &std::fs::read(&site.path).unwrap())).await;
}

#[tokio::test]
async fn a_replaced_transcript_that_also_grew_is_judged_by_what_was_added() {
    merged(|site| {
        let added = entry(mirror(), site);
        let bytes = [std::fs::read(&site.path).unwrap(), format!("{added}\n").into_bytes()].concat();
        replace(&site.path, &bytes);
    })
    .await;
    taken_over(|site| {
        let added = foreign_user(&site.path, "me too");
        let bytes = [std::fs::read(&site.path).unwrap(), format!("{added}\n").into_bytes()].concat();
        replace(&site.path, &bytes);
    })
    .await;
}

#[tokio::test]
async fn a_takeover_in_a_replaced_transcript_cuts_no_torn_line() {
    taken_over(|site| {
        let added = foreign_user(&site.path, "me too");
        let torn = format!("{added}\n{{\"type\":\"mess").into_bytes();
        replace(&site.path, &[std::fs::read(&site.path).unwrap(), torn].concat());
    })
    .await;
}

#[tokio::test]
async fn a_transcript_rewritten_in_place_is_compared() {
    merged(|site| rewrite(&site.path, &std::fs::read(&site.path).unwrap())).await;
    // The same length, other contents.
    let other = |site: &Site| {
        let text = std::fs::read_to_string(&site.path).unwrap();
        rewrite(&site.path, text.replace("\"hi\"", "\"ho\"").as_bytes());
    };
    assert_eq!(taken_over(other).await, TakeoverCause::Rewritten);
    // One byte in the middle, by a writer that patches.
    let patched = |site: &Site| {
        let mut file = std::fs::OpenOptions::new().read(true).write(true).open(&site.path).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        file.seek(SeekFrom::Start(text.find("\"hi\"").unwrap() as u64 + 1)).unwrap();
        file.write_all(b"H").unwrap();
    };
    assert_eq!(taken_over(patched).await, TakeoverCause::Rewritten);
}

#[tokio::test]
async fn changed_permissions_are_no_takeover() {
    use std::os::unix::fs::PermissionsExt;
    let chmod =
        |site: &Site| std::fs::set_permissions(&site.path, std::fs::Permissions::from_mode(0o640)).unwrap();
    merged(chmod).await;
    // A backup that links the file for a moment changes its change time, too.
    merged(|site| {
        let link = site.dir.path().join("backup");
        std::fs::hard_link(&site.path, &link).unwrap();
        std::fs::remove_file(&link).unwrap();
    })
    .await;
}

/// A session of the first generation: a list without ids.
fn first_generation(site: &Site) {
    std::fs::write(
        &site.path,
        "{\"type\":\"session\",\"id\":\"s1\",\"timestamp\":\"t\",\"cwd\":\"/\"}\n\
         {\"type\":\"message\",\"timestamp\":\"t\",\"message\":{\"role\":\"user\",\"content\":\"hi\"}}\n",
    )
    .unwrap();
}

/// The file as a program of the generation migrates it when it opens it.
fn migrate(path: &std::path::Path) -> Vec<u8> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut previous = Value::Null;
    let mut out = String::new();
    for (number, line) in text.lines().enumerate() {
        let mut entry: Value = serde_json::from_str(line).unwrap();
        if number == 0 {
            entry["version"] = 3.into();
        } else {
            entry["id"] = format!("m{number}").into();
            entry["parentId"] = previous;
            previous = entry["id"].clone();
        }
        out.push_str(&format!("{entry}\n"));
    }
    out.into_bytes()
}

#[tokio::test]
async fn a_linear_migration_is_accepted() {
    for in_place in [true, false] {
        let site = Site::new();
        first_generation(&site);
        let released = attempt(&site, "r1").await.release_for_prompt().await.unwrap();
        let migrated = migrate(&site.path);
        if in_place {
            rewrite(&site.path, &migrated)
        } else {
            replace(&site.path, &migrated)
        }
        let (mut locked, _) = released.reacquire_after_prompt().await.unwrap();
        says(&mut locked, "r1", "after").await;
        locked.finish().await.unwrap();
        let after = site.entries().pop().unwrap();
        assert_eq!(after.parent_id(), Some("m1"), "the leaf is the same entry under its new name");
    }
}

#[tokio::test]
async fn a_migration_that_also_changed_something_is_a_takeover() {
    let site = Site::new();
    first_generation(&site);
    let released = attempt(&site, "r1").await.release_for_prompt().await.unwrap();
    let migrated = String::from_utf8(migrate(&site.path)).unwrap().replace("\"hi\"", "\"ho\"");
    rewrite(&site.path, migrated.as_bytes());
    assert!(released.reacquire_after_prompt().await.unwrap_err().is_takeover());
}

#[tokio::test]
async fn an_oversize_rewrite_is_a_takeover_even_if_it_is_the_same() {
    let site = Site::new();
    started(&site);
    let padding =
        format!("{}\n", json!({"type": "custom", "customType": "x", "data": "x".repeat(1024 * 1024)}));
    foreign_raw(&site.path, padding.repeat(9).as_bytes());
    let released = attempt(&site, "r1").await.release_for_prompt().await.unwrap();
    replace(&site.path, &std::fs::read(&site.path).unwrap());
    let error = released.reacquire_after_prompt().await.unwrap_err();
    assert!(matches!(error, AttemptError::Takeover { cause: TakeoverCause::Replaced, .. }), "{error:?}");
}

#[tokio::test]
async fn an_oversize_transcript_that_grew_is_judged_by_what_was_added() {
    let site = Site::new();
    started(&site);
    let padding = json!({"type": "custom", "id": "p", "parentId": "u1", "timestamp": "t", "customType": "x",
        "data": "x".repeat(9 * 1024 * 1024)});
    foreign(&site.path, &padding);
    let released = attempt(&site, "r1").await.release_for_prompt().await.unwrap();
    foreign(&site.path, &entry(mirror(), &site));
    let (locked, _) = released.reacquire_after_prompt().await.unwrap();
    locked.finish().await.unwrap();
}

#[tokio::test]
async fn a_torn_line_of_a_crashed_writer_is_cut_and_kept() {
    let site = Site::new();
    started(&site);
    let parent = away(&site, |site| {
        foreign(&site.path, &entry(mirror(), site));
        foreign_raw(&site.path, b"{\"type\":\"message\",\"id\":\"torn");
    })
    .await
    .unwrap();
    assert_eq!(parent.as_deref(), Some("r1-before"));
    let kept: Vec<_> = std::fs::read_dir(site.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(".torn-"))
        .collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(std::fs::read(&kept[0]).unwrap(), b"{\"type\":\"message\",\"id\":\"torn");
}

#[tokio::test]
async fn a_whole_last_line_without_its_newline_is_completed_and_judged() {
    let cause =
        taken_over(|site| foreign_raw(&site.path, foreign_user(&site.path, "me too").to_string().as_bytes()))
            .await;
    assert!(cause.words().contains("user message"), "{cause:?}");
}
