//! Wordings about who may: credentials, accounts, sessions and models.

use super::{
    super::outcome::{AUTH, AUTH_PERMANENT, MODEL_NOT_FOUND, SESSION_EXPIRED},
    Statuses, text_rules,
};
use crate::verdict::Scope;

/// Where a refused credential is reported; some providers put it under 400 and 404.
const REFUSED: Statuses = Statuses::UNSAID
    .and(Statuses::S400)
    .and(Statuses::S401)
    .and(Statuses::S403)
    .and(Statuses::S404)
    .and(Statuses::S409)
    .and(Statuses::S422)
    .and(Statuses::S424)
    .and(Statuses::OTHER_4XX)
    .and(Statuses::SERVER);

text_rules! {
    SESSION "session":
    "conversation" (alone) [
        "no conversation found with session id|conversation not found|no conversation found|session not found|\
         session expired|session has expired|session does not exist|session no longer exists|\
         session id not found|no session found|unknown session|invalid session id|no rollout found|\
         thread not found|thread no longer exists"
    ]
        => SESSION_EXPIRED, Statuses::REQUEST, "https://github.com/anthropics/claude-code/issues/62851";
    "id" (alone) [
        "session id|sessionid|conversation id|thread id",
        "not found|does not exist|expired|no longer valid|no longer exists|is invalid|unknown"
    ]
        => SESSION_EXPIRED, Statuses::REQUEST, "https://github.com/generalaction/emdash/issues/1229";
}

text_rules! {
    GONE_FOR_GOOD "account":
    "disabled" (alone) [
        "account has violation|account violation|account anomaly|organization has been disabled|\
         organization has been restricted|organization is disabled|account has been disabled|\
         account is disabled|account disabled|account has been deactivated|account deactivated|\
         account is deactivated|account has been suspended|account is suspended|account suspended|\
         account has been banned|account banned|account is banned|account has been locked|account is locked|\
         account has been blocked|account is blocked|account was terminated|account is terminated|\
         account has been terminated|account has been closed|access terminated|access has been terminated|\
         access has been revoked|access revoked|user has been banned|user is banned|key has been disabled|\
         key is disabled|key disabled|key has been revoked|key was revoked|key revoked|key is revoked|\
         revoked api key|key has been deleted|key deleted|key has been blocked|key is blocked|\
         key was reported as leaked|reported as leaked|has been suspended|consumer suspended|team is blocked|\
         workspace is deactivated|deactivated workspace|not available to your organization"
    ]
        => AUTH_PERMANENT, REFUSED.and(Statuses::S429).and(Statuses::S402), "https://github.com/anthropics/claude-code/issues/9384";
    "refresh" (alone) [
        "refresh token",
        "already used|already been used|expired|revoked|invalid|invalidated|reused|not found|\
         could not be refreshed|failed"
    ]
        => AUTH_PERMANENT, REFUSED, "https://github.com/openai/codex/issues/6498";
    "sign-in" (alone) [
        "try signing in again|sign in again|log out and sign in|please log in again|re authenticate|\
         reauthenticate|login again|please login again|run login again|invalid grant",
        "!cookie is missing"
    ]
        => AUTH_PERMANENT, REFUSED, "https://github.com/openai/codex/issues/6028";
    "region" (alone) [
        "country region or territory|unsupported country|unsupported region|user location is not supported|\
         location is not supported|not available in your country|not available in your region|\
         not available in your location|region is not supported|country is not supported|\
         not supported in your region|not supported in your country|sorry you have been blocked|\
         you have been blocked"
    ]
        => AUTH_PERMANENT.on(Scope::Provider), REFUSED, "https://developers.openai.com/docs/guides/error-codes";
    "not-allowed" (alone) [
        "oauth authentication is currently not allowed|not allowed for this organization|\
         only available for coding agents|not authorized for use with third party|only authorized for use with"
    ]
        => AUTH_PERMANENT, REFUSED, "https://github.com/winfunc/opcode/issues/91";
    "zh" (alone) [
        "已被锁定|已被封禁|已被禁用|已停用|已被停用|已冻结|被冻结|非活动状态|账号异常|账户异常|已注销|违规行为"
    ]
        => AUTH_PERMANENT, REFUSED.and(Statuses::S429), "https://docs.bigmodel.cn/cn/api/api-code";
}

text_rules! {
    /// A model that exists and is not this credential's. Under 404 nobody says which of the two it is.
    ENTITLED "entitled":
    "resource" ["permission", "denied on resource|denied for resource|permission denied on"]
        => AUTH, Statuses::UNSAID.and(Statuses::S401).and(Statuses::S403), "https://cloud.google.com/iam/docs/troubleshooting-access";
    "model" (alone) [
        "model|models|deployment",
        "does not have access|don t have access|do not have access|doesn t have access|no access|\
         not have access|without access|not allowed to use|not entitled",
        "!does not exist|doesn t exist|not found|do not exist|not exist"
    ]
        => AUTH.on(Scope::Model), Statuses::UNSAID.and(Statuses::S401).and(Statuses::S403).and(Statuses::S400), "https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html";
}

text_rules! {
    MODEL "model":
    "missing" (alone) [
        "model|models|deployment|model id|model name|endpoint",
        "does not exist|doesn t exist|do not exist|not found|no such model|not exist|could not be found|\
         cannot be found|was not found|unknown model|not a valid model|not a valid model id|\
         model identifier is invalid|is invalid model|invalid model|invalid model name|no longer available|\
         is not available|not available|isn t available|has been deprecated|is deprecated|was deprecated|\
         has been retired|been shut down|decommissioned|has been removed|end of its life|reached the end|\
         no endpoints found|no allowed providers|not supported when using|no longer supported|\
         not been activated|has not activated|is not enabled|not loaded|not deployed|not included in|\
         incorrect model id|invalid model id|wrong model|unable to access model|unable to access non serverless model|\
         too large to be loaded|no such languagemodel",
        "!file|image url|tool|parameter|function|instruction|at capacity|high demand|overloaded|try again|temporarily"
    ]
        => MODEL_NOT_FOUND, REFUSED.except(Statuses::S401), "https://developers.openai.com/docs/guides/error-codes";
    "unsupported" (alone) [
        "model",
        "is not supported|not supported model|model not support|model not supported|unsupported model|\
         supported models are|supported api model names are|supported model names are|is unsupported",
        "!with this model|by this model|for this model|this model does|parameter|does not support|tool|tools|\
         image|images|function|options|option|role|format|type|value|method|content|streaming|temperature|\
         system|messages|operation|counting|caching|reasoning|thinking|input"
    ]
        => MODEL_NOT_FOUND, REFUSED.except(Statuses::S401), "https://docs.voyageai.com/docs/error-codes";
    "router" (alone) [
        "no endpoints found|no available endpoints|no allowed providers|no provider available for|\
         try pulling it first|no available channel for|no channel available for|no available channels for|\
         no healthy deployments for model|the specified version does not exist"
    ]
        => MODEL_NOT_FOUND, REFUSED, "https://openrouter.ai/docs/api/reference/errors-and-debugging";
    "profile" (alone) ["on demand throughput", "not supported|isn t supported|inference profile"]
        => MODEL_NOT_FOUND, REFUSED, "https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html";
    "api" ["is not found for api version|not found for api version|publisher model", "!quota"]
        => MODEL_NOT_FOUND, REFUSED, "https://ai.google.dev/gemini-api/docs/generate-content/api-errors";
    "zh" (alone) [
        "模型不存在|模型未找到|不存在的模型|模型已下线|已下线|无效的模型|模型不支持|未开通模型|暂未开放"
    ]
        => MODEL_NOT_FOUND, REFUSED, "https://docs.bigmodel.cn/cn/api/api-code";
}

text_rules! {
    CREDENTIAL "credential":
    "key" (alone) [
        "api key|apikey|api keys|api token|x api key|access key|secret key|subscription key|api secret",
        "invalid|incorrect|not valid|missing|not found|expired|required|no api key|wrong|unauthorized|\
         malformed|not provided|unable to|could not|cannot|appears to be invalid|does not have|issue|doesn t|\
         provide|check|please pass|must|not match|renew|mismatch|empty|without|disabled|not exist|is not"
    ]
        => AUTH, REFUSED, "https://developers.openai.com/docs/guides/error-codes";
    "no-key" (alone) [
        "could not load credentials|could not load the default credentials|no credentials|\
         credentials not found|unable to locate credentials|missing credentials|no api key|missing api key|\
         api key is missing|api key not provided|no api key provided|missing authentication|\
         missing authorization|no authorization header|authorization header|no auth credentials|\
         no cookie auth|invalid authentication|authentication failed|authentication fails|\
         authentication failure|authentication error|authentication required|failed to authenticate|\
         could not authenticate|unable to authenticate|not authenticated|invalid credentials|bad credentials|\
         invalid credential|incorrect credentials|credentials are invalid|authentication credentials|\
         invalid bearer token|invalid access token|access token is invalid|access token expired|\
         access token has expired|access token could not be validated|invalid auth|invalid oauth|oauth token|\
         token has been revoked|token revoked|security token|token expired|token has expired|token is expired|\
         expired token|invalid token|token is invalid|token invalid|token not match|token authentication|\
         jwt expired|could not validate|unauthorized|unauthenticated|not authorized|not authorised|\
         ip not authorized|iam certification|does not conform|signature we calculated|login fail|failed to login|\
         failed to log in|login failed|\
         not logged in|please login|please log in|sso session|aws sso login"
    ]
        => AUTH, REFUSED, "https://platform.claude.com/docs/en/api/errors";
    "permission" [
        "permission denied|do not have permission|don t have permission|does not have permission|\
         doesn t have permission|not have permission|no permission|insufficient permission|\
         insufficient permissions|sufficient permissions|required permissions|access denied|access is denied|\
         is not authorized to perform|caller does not have",
        "!rate|quota"
    ]
        => AUTH, REFUSED.except(Statuses::S404).except(Statuses::SERVER), "https://cloud.google.com/apis/design/errors";
    "forbidden" [
        "access forbidden|not allowed to access|not permitted|must be a member|forbidden|ip address",
        "!rate|quota"
    ]
        => AUTH, Statuses::UNSAID.and(Statuses::S401).and(Statuses::S403), "https://cloud.google.com/apis/design/errors";
    "verify" (alone) [
        "organization must be verified|verify organization|verify your account|must be verified|\
         use case details have not been submitted|use case form"
    ]
        => AUTH.on(Scope::Model), REFUSED, "https://github.com/continuedev/continue/issues/8209";
    "zh" (alone) [
        "身份验证|鉴权失败|无权访问|未授权|未登录|令牌无效|令牌已过期|无效的令牌|密钥无效|认证失败|无权限|\
         权限不足|没有权限|非法,请确认|已过期"
    ]
        => AUTH, REFUSED, "https://docs.bigmodel.cn/cn/api/api-code";
}

text_rules! {
    /// Names of statuses, where nothing else is said.
    BARE "bare-access":
    "unauthorized" (vague) ["unauthorized|forbidden|authentication|access denied"]
        => AUTH, Statuses::UNSAID, "https://www.iana.org/assignments/http-status-codes/http-status-codes.xhtml";
    "not-found" (vague) ["model not found|not found error|notfounderror|resource not found|404 not found"]
        => MODEL_NOT_FOUND, Statuses::UNSAID, "https://www.iana.org/assignments/http-status-codes/http-status-codes.xhtml";
}
