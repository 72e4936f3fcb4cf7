//! What the run does about a prompt cache's errors, for every code: the policy table, and nothing beside it.

use std::sync::Arc;

use async_trait::async_trait;
use mockall::mock;
use moorline_runner::{
    CacheError, CacheLedger, ModelReply, ModelRequest, Nothing, PromptCache, RunOutcome, Stop,
};
use moorline_taxonomy::{Code, Effect, PromptCacheVerdict, RunnerVerdict, policy};

use crate::support::{Scripted, Site, Tools, play};

mock! {
    Cache {}

    #[async_trait]
    impl PromptCache for Cache {
        async fn prepare(&self, request: &ModelRequest, ledger: &CacheLedger) -> Result<Option<String>, CacheError>;
    }
}

#[tokio::test]
async fn a_caches_error_reaches_the_turn_if_the_policy_says_so() {
    for code in Code::all() {
        let site = Site::new();
        let mut cache = MockCache::new();
        cache.expect_prepare().returning(move |_, _| Err(CacheError::new(code, "no cache")));
        let model = Scripted::new([play(|request| {
            assert_eq!(request.cached_content, None);
            Ok(ModelReply::text("without"))
        })]);
        let runner = site.runner().with_prompt_cache(Arc::new(cache));
        let mut turn = site.turn("r1", "hi");
        turn.may_requeue = false;
        let outcome = runner.run(&turn, &model, &Tools, &mut Nothing, &Stop::new()).await;
        let verdicts = policy(code, Effect::None);
        match verdicts.prompt_cache {
            PromptCacheVerdict::Ignore => {
                assert!(matches!(outcome, RunOutcome::Replied(_)), "{code}: {outcome:?}")
            }
            PromptCacheVerdict::Propagate => {
                assert_eq!(model.calls(), 0, "{code}: the model is not asked");
                match (code, verdicts.runner) {
                    (Code::Cancelled(why), _) => assert_eq!(outcome, RunOutcome::Cancelled(why)),
                    (_, RunnerVerdict::Takeover) => {
                        assert!(matches!(outcome, RunOutcome::Superseded(_)), "{code}: {outcome:?}");
                    }
                    _ => {
                        let RunOutcome::Failed(failure) = outcome else { panic!("{code}: {outcome:?}") };
                        assert_eq!(failure.wire.code.known(), Some(code));
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn the_model_is_asked_with_what_the_cache_gives() {
    let site = Site::new();
    let mut cache = MockCache::new();
    cache
        .expect_prepare()
        .times(1)
        .returning(|request, _| Ok(Some(format!("cache of {}", request.candidate.model))));
    let model = Scripted::new([play(|request| {
        assert_eq!(request.cached_content.as_deref(), Some("cache of a"));
        Ok(ModelReply::text("with"))
    })]);
    let runner = site.runner().with_prompt_cache(Arc::new(cache));
    let outcome = runner.run(&site.turn("r1", "hi"), &model, &Tools, &mut Nothing, &Stop::new()).await;
    assert!(matches!(outcome, RunOutcome::Replied(_)), "{outcome:?}");
}
