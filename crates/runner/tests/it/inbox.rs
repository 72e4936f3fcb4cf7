//! Messages that come in while a run is under way.

use moorline_runner::{
    Inbox, Incoming, ModelReply, Nothing, RunOutcome, Stop, ToolCall, ToolContext, ToolEffect, ToolError,
    ToolHost, ToolResult, Turn,
};

use crate::support::{Scripted, Site, foreign, foreign_user, play, wants};

fn message(key: &str) -> Incoming {
    Incoming { text: format!("news {key}"), idempotency_key: key.into(), ..Incoming::default() }
}

fn turn(site: &Site, inbox: &Inbox) -> Turn {
    Turn { inbox: Some(inbox.clone()), ..site.turn("r1", "work") }
}

/// A tool during which messages come in, and perhaps somebody else writes.
struct Meanwhile<'a> {
    inbox: Inbox,
    keys: &'a [&'a str],
    foreign: Option<&'a Site>,
}

#[async_trait::async_trait]
impl ToolHost for Meanwhile<'_> {
    async fn call(&self, _call: &ToolCall, _context: &ToolContext) -> Result<ToolResult, ToolError> {
        for key in self.keys {
            assert!(self.inbox.offer(message(key)));
        }
        if let Some(site) = self.foreign {
            foreign(&site.path, &foreign_user(&site.path, "mine now"));
        }
        Ok(ToolResult { text: "done".into(), is_error: false })
    }

    fn effect(&self, _name: &str) -> ToolEffect {
        ToolEffect::Possible
    }
}

/// What the model was told in its nth call.
fn told(model: &Scripted, nth: usize) -> Vec<String> {
    model.asked.lock().unwrap()[nth].messages.iter().map(|message| message.text().to_owned()).collect()
}

async fn run(site: &Site, turn: &Turn, model: &Scripted, tools: &dyn ToolHost, rounds: usize) -> RunOutcome {
    site.runner().with_max_rounds(rounds).run(turn, model, tools, &mut Nothing, &Stop::new()).await
}

#[tokio::test]
async fn what_comes_in_while_a_tool_works_is_told_in_the_next_call_of_the_same_run() {
    let (site, inbox) = (Site::new(), Inbox::new());
    let model =
        Scripted::new([play(|_| Ok(wants("c1", "act"))), play(|_| Ok(ModelReply::text("read both")))]);
    let tools = Meanwhile { inbox: inbox.clone(), keys: &["a", "b"], foreign: None };
    let outcome = run(&site, &turn(&site, &inbox), &model, &tools, 9).await;
    assert!(matches!(outcome, RunOutcome::Replied(reply) if reply.text == "read both"));
    let said = site.said();
    let said: Vec<_> = said.iter().map(|(role, text)| (role.as_str(), text.as_str())).collect();
    assert_eq!(
        said,
        [
            ("user", "work"),
            ("assistant", ""),
            ("toolResult", "done"),
            ("user", "news a"),
            ("user", "news b"),
            ("assistant", "read both")
        ]
    );
    assert_eq!(told(&model, 1), ["work", "", "done", "news a", "news b"]);
    assert!(inbox.kept("a").await && inbox.kept("b").await && inbox.kept("key-r1").await);
    // The next turn reads the same conversation from the file.
    let model = Scripted::says("ok");
    site.run(&site.turn("r2", "and?"), &model).await;
    assert_eq!(told(&model, 0), ["work", "", "done", "news a", "news b", "read both", "and?"]);
}

#[tokio::test]
async fn what_comes_in_during_the_last_call_is_not_written_and_its_sender_hears_so() {
    let (site, inbox) = (Site::new(), Inbox::new());
    let offered = inbox.clone();
    let model = Scripted::new([play(move |_| {
        assert!(offered.offer(message("late")));
        Ok(ModelReply::text("bye"))
    })]);
    let tools = Meanwhile { inbox: inbox.clone(), keys: &[], foreign: None };
    assert!(matches!(run(&site, &turn(&site, &inbox), &model, &tools, 9).await, RunOutcome::Replied(_)));
    assert!(!inbox.kept("late").await);
    assert!(!inbox.offer(message("later")));
    assert_eq!(site.said().len(), 2);
}

#[tokio::test]
async fn nothing_is_written_where_no_model_call_follows() {
    for (rounds, foreign) in [(1, false), (9, true)] {
        let (site, inbox) = (Site::new(), Inbox::new());
        let model = Scripted::new([play(|_| Ok(wants("c1", "act")))]);
        let foreign = foreign.then_some(&site);
        let tools = Meanwhile { inbox: inbox.clone(), keys: &["a"], foreign };
        let outcome = run(&site, &turn(&site, &inbox), &model, &tools, rounds).await;
        assert!(matches!(outcome, RunOutcome::Failed(_) | RunOutcome::Superseded(_)), "{outcome:?}");
        assert!(!inbox.kept("a").await);
        assert!(site.said().iter().all(|(_, text)| text != "news a"));
    }
}

#[tokio::test]
async fn a_run_that_died_after_it_wrote_goes_on_with_the_message_and_does_not_double_it() {
    let (site, inbox) = (Site::new(), Inbox::new());
    let died = inbox.clone();
    let tools = Meanwhile { inbox: inbox.clone(), keys: &["a"], foreign: None };
    let turn = turn(&site, &inbox);
    let model = Scripted::new([play(|_| Ok(wants("c1", "act"))), play(|_| unreachable!())]);
    // Dropped once the message is kept: a crash in miniature.
    tokio::select! {
        biased;
        kept = died.kept("a") => assert!(kept),
        _ = run(&site, &turn, &model, &tools, 9) => unreachable!(),
    }
    assert!(!inbox.offer(message("b")), "a dropped run takes nothing");
    let model = Scripted::says("went on");
    let outcome = run(&site, &site.turn("r1", "work"), &model, &tools, 9).await;
    assert!(matches!(outcome, RunOutcome::Replied(reply) if reply.text == "went on"));
    assert_eq!(told(&model, 0), ["work", "", "done", "news a"]);
    assert_eq!(site.said().iter().filter(|(_, text)| text == "news a").count(), 1);
}
