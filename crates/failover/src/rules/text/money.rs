//! Wordings about money and plans. A plan's window that starts anew is a rate limit; an account that is empty is not.

use super::{
    super::outcome::{BILLING, RATE_LIMIT},
    Statuses, text_rules,
};
use crate::verdict::Scope;

/// Where spent credit is reported: anywhere but where the credential itself was refused.
const MONEY: Statuses = Statuses::ANY.except(Statuses::S401).except(Statuses::S408);

text_rules! {
    /// Windows of a plan, which say when they start anew or how long they are.
    PLAN_WINDOWS "window":
    "not-in-free-tier" for [Google] (alone) ["limit 0", "quota|quotas"]
        => BILLING.on(Scope::Model), Statuses::S429.and(Statuses::UNSAID), "https://ai.google.dev/gemini-api/docs/rate-limits";
    "google-quota" for [Google] (alone) ["exceeded your current quota"]
        => RATE_LIMIT.on(Scope::Model), Statuses::S429.and(Statuses::UNSAID), "https://ai.google.dev/gemini-api/docs/rate-limits";
    "google-link" (alone) ["exceeded your current quota", "ai google dev|generativelanguage googleapis com"]
        => RATE_LIMIT.on(Scope::Model), Statuses::S429.and(Statuses::UNSAID), "https://ai.google.dev/gemini-api/docs/rate-limits";
    "dashscope-quota" for [DashScope] (alone) [
        "exceeded your current quota|exceeded your current requests|allocated quota exceeded|quota exceeded|\
         current quota"
    ]
        => RATE_LIMIT, Statuses::S429.and(Statuses::UNSAID), "https://alibabacloud.com/help/en/model-studio/rate-limit";
    "google-upgrade" for [Google] (alone) [
        "exhausted your capacity|exhausted your daily quota|quota will reset|quota exceeded for|quota exceeded"
    ]
        => RATE_LIMIT.on(Scope::Model), Statuses::S429.and(Statuses::UNSAID).and(Statuses::S403), "https://github.com/google-gemini/gemini-cli/issues/8437";
    "in-flight" (alone) ["in flight budget|in flight", "budget|spending|exhausted|requests"]
        => RATE_LIMIT, Statuses::S402.and(Statuses::S429).and(Statuses::UNSAID), "https://openrouter.ai/docs/api/reference/errors-and-debugging";
    "reset" (alone) [
        "usage limit|usage limits|weekly limit|monthly limit|daily limit|hourly limit|session limit|\
         5 hour limit|five hour limit|limit reached|limit exhausted|hit your limit|hit your usage limit|\
         reached your usage limit|plan limit|limit for this period|usage cap|quota",
        "will reset|resets at|resets in|resets on|reset at|reset in|reset after|resets after|refreshed|\
         next cycle|for this period|per 5 hours|5 hour|weekly|try again at|try again in|try again later|\
         retry after|retry later|please wait|resets",
        "!spend limit|spending limit|credit balance|insufficient balance|insufficient credits|\
         usage limits you will regain|specified api usage limits|monthly spending"
    ]
        => RATE_LIMIT, Statuses::S429.and(Statuses::S402).and(Statuses::S403).and(Statuses::S400).and(Statuses::UNSAID).and(Statuses::SERVER), "https://github.com/openai/codex/issues/4172";
    "window" (alone) [
        "weekly monthly limit|weekly limit|daily limit|hourly limit|5 hour limit|session limit|monthly limit|\
         daily usage limit|weekly usage limit|monthly usage limit|usage limit|subscription quota|\
         subscription quota limit|quota limit|quota|limit exhausted",
        "exhausted|reached|exceeded|limit",
        "rolling time window|rolling window|hourly usage limit|daily usage limit|weekly usage limit|session usage limit|\
         quota refresh|automatic quota refresh|billing cycle|weekly|\
         daily limit|hourly limit|5 hour limit|monthly usage limit|monthly limit|session limit|cooling down",
        "!spend limit|spending limit|budget|key limit exceeded|credit balance|insufficient|spending|\
         more credits|can only afford|with a higher"
    ]
        => RATE_LIMIT, Statuses::S429.and(Statuses::S402).and(Statuses::S403).and(Statuses::UNSAID), "https://www.kimi.com/code/docs/en/kimi-code/error-reference.html";
    "zh" (alone) ["使用上限|限额将在|调用次数限额|流量限制|每周|每日限额|今日调用"]
        => RATE_LIMIT, Statuses::ANY.except(Statuses::S401), "https://docs.bigmodel.cn/cn/api/api-code";
}

text_rules! {
    SPENT "spent":
    "tier" (alone) [
        "free tier|free plan|current plan|your plan|subscription plan|your subscription|a subscription",
        "not available|not included|is not available|upgrade|does not include|not part of|requires",
        "!per minute|per day|rate limit*|reset|resets|try again in|retry in"
    ]
        => BILLING.on(Scope::Model), MONEY.except(Statuses::S429), "https://docs.zenmux.ai/guide/advanced/error-codes.html";
    "balance" (alone) [
        "insufficient balance|balance is insufficient|balance is not enough|balance not enough|\
         not enough balance|insufficient account balance|credit balance|credits balance|balance is too low|\
         balance too low|negative balance|no balance|out of balance|balance exhausted|account balance is|\
         insufficient funds|insufficient credit|insufficient credits|insufficient user quota|\
         insufficient fund|not enough credits|not enough credit|no credits|no credit|out of credits|\
         run out of credits|ran out of credits|credits exhausted|credit exhausted|credits have been exhausted|\
         credits depleted|used all available credits|all available credits|no remaining credits|\
         doesn t have any credits|does not have any credits|have any credits|requires more credits|\
         prepaid credits|prepayment credits|credits remaining|credits are depleted|used up your points|\
         used up all|more credits|add credits|purchase credits|buy credits|purchase more|add funds|\
         credit limit reached|credit limit exceeded|can only afford|out of extra usage|\
         usage credits are required|extra usage is required|from your extra usage"
    ]
        => BILLING, MONEY, "https://platform.claude.com/docs/en/api/errors";
    "limit" (alone) [
        "spend limit|spending limit|spending limits|spending cap|spend cap|budget limit|budget exceeded|\
         budget has been exceeded|exceeded budget|over budget|billing hard limit|billing limit|monthly budget|\
         key budget|key limit exceeded|exceededbudget|crossed spend|monthly spend|cost limit|credit limit|specified api usage limits|\
         usage cap exceeded|enforced spend limit",
        "!in flight"
    ]
        => BILLING, MONEY, "https://platform.claude.com/docs/en/api/errors";
    // Some put 401 on an account that is empty.
    "balance-401" (alone) [
        "insufficient balance|insufficient credits|insufficient credit|insufficient funds|no payment method|\
         add a payment method|credit balance is too low|balance is not enough"
    ]
        => BILLING, Statuses::S401, "https://github.com/anomalyco/opencode/issues/37161";
    "prompt-budget" for [OpenRouter] (alone) ["prompt tokens limit exceeded|tokens limit exceeded"]
        => BILLING, Statuses::S402.and(Statuses::UNSAID), "https://openrouter.ai/docs/api/reference/errors-and-debugging";
    "quota" (alone) ["current quota", "billing details|plan and billing"]
        => BILLING, MONEY, "https://developers.openai.com/docs/guides/error-codes";
    "have-no-quota" (alone) [
        "you have no quota|no quota|quota has been exhausted|quota is exhausted|\
         free tier of the model has been exhausted|free trial quota|free quota",
        "!per minute|per day|reset|resets|retry in|try again in"
    ]
        => BILLING, MONEY, "https://github.com/github/copilot-cli/issues/730";
    "overdue" (alone) [
        "overdue|arrearage|in arrears|past due|unpaid|outstanding balance|account is in good standing|\
         good standing|payment required|payment is required|payment failed|payment method|payment issue|\
         valid payment|valid credit card|payment instrument|billing is not active|billing not active|billing is disabled|billing disabled|\
         billing account|billing issue|billing information|enable billing|billing to be enabled|\
         billing has not been enabled|requires billing|billing status|set up billing|billing setup|paid plan|\
         paid subscription|paid account|requires a subscription|subscription required|paid tier required|\
         pay as you go|subscription has expired|subscription expired|subscription is not active|\
         no active subscription|plan has expired|plan expired|membership benefits|membership has expired|\
         membership expired|trial has ended|trial ended|trial expired|free trial|upgrade your plan|\
         upgrade to a paid|recharge|top up|topup",
        "!per minute|per day|tokens per min|request rate|requests per"
    ]
        => BILLING, MONEY.except(Statuses::S429).and(Statuses::S402), "https://help.aliyun.com/en/model-studio/error-code";
    "overdue-429" (alone) [
        "overdue|arrearage|recharge|top up|topup|purchase a plan|subscription has expired|plan has expired|\
         no resource package|billing account|payment required",
        "!per minute|per day|tokens per min|requests per|rate limit*"
    ]
        => BILLING, Statuses::S429, "https://docs.z.ai/api-reference/api-code";
    "zh" (alone) [
        "余额不足|余额已用完|欠费|请充值|充值后|账户余额|额度不足|额度已用完|额度已用尽|额度用完|无可用额度|\
         套餐已到期|套餐已过期|未购买|付费|没有可用资源包"
    ]
        => BILLING, Statuses::ANY.except(Statuses::S401), "https://docs.bigmodel.cn/cn/api/api-code";
}

text_rules! {
    /// Names of statuses and classes, where nothing else is said.
    BARE "bare-money":
    "billing" (vague) ["billing error|payment required|insufficient quota|billing"]
        => BILLING, Statuses::UNSAID, "https://platform.claude.com/docs/en/api/errors";
}
