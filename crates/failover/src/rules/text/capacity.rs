//! Wordings about too much: of the caller's share (a throttle), of one request (never satisfiable), or for the provider
//! itself (overload).

use super::{
    super::outcome::{OVERLOADED, RATE_LIMIT, UNSATISFIABLE},
    Statuses, text_rules,
};
use crate::verdict::Scope;

/// Where a provider reports its own trouble; 429 is among them.
const BUSY: Statuses = Statuses::UNSAID
    .and(Statuses::S400)
    .and(Statuses::S403)
    .and(Statuses::S409)
    .and(Statuses::S424)
    .and(Statuses::S429)
    .and(Statuses::OTHER_4XX)
    .and(Statuses::SERVER);
/// Where a throttle is reported. Not under 402: there a limit is one of money, unless it says when it starts anew.
const LIMITED: Statuses = Statuses::UNSAID
    .and(Statuses::S400)
    .and(Statuses::S403)
    .and(Statuses::S409)
    .and(Statuses::S413)
    .and(Statuses::S424)
    .and(Statuses::S429)
    .and(Statuses::OTHER_4XX)
    .and(Statuses::SERVER);

text_rules! {
    /// One request asks for more than the limit can ever give; waiting does not help.
    UNSATISFIABLE_RULES "unsatisfiable":
    "tpm" (alone) [
        "request too large for|request is too large for|single request exceeds|\
         exceeds the maximum tokens per minute",
        "per minute|tpm|tokens per min|limit"
    ]
        => UNSATISFIABLE, LIMITED, "https://console.groq.com/docs/rate-limits";
}

text_rules! {
    OVERLOAD_SURE "overload":
    "engine" (alone) [
        "overloaded|overload|at capacity|maximum capacity|max capacity|capacity exceeded|\
         capacity temporarily exceeded|no capacity|lacks capacity|out of capacity|insufficient capacity|\
         not enough capacity|capacity constraints|capacity constraint|high demand|high load|heavy load|\
         heavy traffic|high traffic|high volume of requests|high amounts of traffic|high amount of traffic|\
         experiencing high|too busy|server busy|server is busy|servers are busy|service busy|service is busy|\
         system busy|system is busy|model is busy|model busy|is busy|are busy|system capacity|\
         system is currently|exceeds the capacity|queue is full|queue full|queue exceeded|capacity available|\
         model is not ready|model not ready|not ready for inference|model is loading|\
         model is currently loading|loading model|is currently loading|is still loading|warming up|cold start|\
         resource is temporarily|resources are temporarily|degraded function|worker local total request limit",
        "!your account|rate limit exceeded|per minute|your quota"
    ]
        => OVERLOADED, BUSY, "https://developers.openai.com/docs/guides/error-codes";
    "anthropic" (alone) ["overloaded error"]
        => OVERLOADED, Statuses::ANY, "https://platform.claude.com/docs/en/api/errors";
    "zh" (alone) [
        "访问量过大|负载过高|暂时无法提供|服务暂时不可用|服务不可用|负载已饱和|负载较高|服务繁忙|系统繁忙|\
         繁忙|过载|资源不足|拥挤|排队|算力不足|模型加载"
    ]
        => OVERLOADED, BUSY, "https://docs.bigmodel.cn/cn/api/api-code";
}

text_rules! {
    THROTTLE "throttle":
    "upstream" (alone) ["rate limited upstream|temporarily rate limited upstream"]
        => RATE_LIMIT.on(Scope::Upstream), LIMITED, "https://openrouter.ai/docs/api/reference/errors-and-debugging";
    "under-402" (alone) [
        "rate limit|rate limits|rate limited|too many requests|throttled|per minute",
        "!credit*|balance|spend*|budget|billing|payment|funds"
    ]
        => RATE_LIMIT, Statuses::S402, "https://github.com/openclaw/openclaw/pull/36802";
    "tokens" (alone) [
        "too many tokens|too many concurrent|tokens per minute|tokens per min|token per minute|tokens per day|\
         tokens per hour|tpm|tpd",
        "!context length|context window|size limit|total number of tokens|shorter"
    ]
        => RATE_LIMIT, LIMITED.except(Statuses::SERVER), "https://docs.aws.amazon.com/bedrock/latest/userguide/quotas.html";
    "named" (alone) [
        "rate limit exceeded|rate limit reached|rate limit hit|rate limited|rate limit error|too many requests",
        "!context length|context window"
    ]
        => RATE_LIMIT, LIMITED, "https://developers.openai.com/docs/guides/error-codes";
    "rate" [
        "rate limit*|ratelimit*|rate exceeded|rate is limited|request rate|rate increased too quickly|\
         too many requests|too many concurrent|too many api|throttl*|concurrency limit|concurrent requests|\
         concurrency exceeded|requests per minute|requests per second|requests per day|requests per hour|\
         request per minute|tokens per minute|tokens per min|tokens per day|token per minute|per minute|rpm|\
         tpm|rpd|tpd|qps|slow down|requests too quickly|sending requests too|request limit|requests limit|\
         requests list|request quota|token quota|tokens quota|quota exceeded|exceeded quota|\
         exceeded your quota|quota limit|quota has been exceeded|exceeding the account quotas|\
         provisioned throughput|exceeded the provisioned|api call limit|call limit|calls limit|\
         request frequency|reached the limit|limit reached for",
        "!context length|context window"
    ]
        => RATE_LIMIT, LIMITED, "https://developers.openai.com/docs/guides/error-codes";
    "usage" (alone) [
        "usage limit|usage limits|usage quota|weekly limit|monthly limit|daily limit|hourly limit|\
         hit your limit|exceeded your limit|reached your limit|session limit|token usage|resource exhausted|\
         resource has been exhausted|resourceexhausted|exhausted your|fair use|model cooldown"
    ]
        => RATE_LIMIT, LIMITED, "https://github.com/openai/codex/issues/4172";
    "limit" [
        "exceeded the limit|limit reached|limit has been reached|limit exceeded|limit exhausted|limitation|\
         cooling down|cooldown"
    ]
        => RATE_LIMIT, LIMITED, "https://github.com/openai/codex/issues/4172";
    "zh" (alone) [
        "频率过高|请求频率|请求过于频繁|过于频繁|频率超|并发数|并发超|并发过高|并发限制|限流|速率限制|\
         请求过多|请求次数|流控|调用频次|触发限制|用量受限|限额|次数超限|超额"
    ]
        => RATE_LIMIT, LIMITED, "https://docs.bigmodel.cn/cn/api/api-code";
}

text_rules! {
    OVERLOAD_WIDE "unavailable":
    "service" [
        "upstream unavailable|provider unavailable|backend unavailable|unavailable please try|\
         temporarily unable to process|unable to process your request at this time|\
         unable to handle additional requests|service unavailable|service is unavailable|\
         service is currently unavailable|service temporarily unavailable|temporarily unavailable|\
         service isn t currently available|service isn t available|currently unavailable|\
         service is not available|no available provider|no provider available|no upstream provider|\
         no healthy upstream|no available accounts|no available channel|no instances available|\
         model is unavailable|model unavailable|try a different model|select another model|\
         choose another model"
    ]
        => OVERLOADED, Statuses::UNSAID.and(Statuses::S429).and(Statuses::S400).and(Statuses::S503).and(Statuses::OTHER_5XX), "https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html";
}
