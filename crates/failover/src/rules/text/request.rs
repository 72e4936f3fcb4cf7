//! Wordings about the request itself: its content, what it replays, its size, its shape.

use super::{
    super::outcome::{CONTENT_POLICY, FORMAT, OVERFLOW, REPLAY_INVALID, TOO_LARGE},
    Statuses, text_rules,
};

/// Where a refusal for content is reported.
const REFUSED: Statuses = Statuses::REQUEST.and(Statuses::S403);
/// Where an overflow is reported; 429 and 402 speak of limits and money with the same nouns.
const TOO_LONG: Statuses = Statuses::REQUEST.and(Statuses::S403);
/// A shape is only worth naming where no status has said so.
const UNSAID: Statuses = Statuses::UNSAID;

text_rules! {
    POLICY "policy":
    "azure" (alone) [
        "content management policy|content filtering policy|content filtering|responsible ai|\
         responsible ai service|content filter policy|our content filters|content filter triggered|\
         content filter"
    ]
        => CONTENT_POLICY, REFUSED, "https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter";
    "openai" (alone) [
        "safety system|usage policy|usage policies|usage guidelines|content policy|content policies|\
         safety policy|safety policies|safety guidelines|safety filters|safety filter|safety settings|\
         safety checks|acceptable use policy|moderation system|content moderation"
    ]
        => CONTENT_POLICY, REFUSED, "https://platform.openai.com/docs/guides/safety-checks";
    "flagged" (alone) [
        "flagged",
        "moderation|input|prompt|content|policy|violating|safety|potentially|cybersecurity|biological"
    ]
        => CONTENT_POLICY, REFUSED, "https://openrouter.ai/docs/api/reference/errors-and-debugging";
    "harmful" (alone) [
        "inappropriate content|sensitive content|sensitive information|harmful content|unsafe content|\
         may contain sensitive|considered high risk|content exists risk|new sensitive|prohibited content|\
         prohibited use policy|sexual content|sensitive words|nsfw content"
    ]
        => CONTENT_POLICY, REFUSED, "https://help.aliyun.com/en/model-studio/error-code";
    "blocked" (alone) ["blocked", "safety|prohibited|content filters|guardrail|guardrails|blocklist|recitation|security configurations"]
        => CONTENT_POLICY, REFUSED, "https://ai.google.dev/gemini-api/docs/safety-settings";
    "stopped" (alone) [
        "stop reason refusal|stop reason sensitive|finish reason refusal|finish reason content filter|\
         finish reason safety|finish reason prohibited content"
    ]
        => CONTENT_POLICY, REFUSED, "https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons";
    "guardrail" ["guardrail intervened|guardrail|guardrails", "blocked|intervened|violat*|denied"]
        => CONTENT_POLICY, REFUSED, "https://docs.aws.amazon.com/bedrock/latest/userguide/guardrails.html";
    "zh" (alone) [
        "敏感内容|不安全|内容安全|违规内容|敏感词|敏感信息|内容审核|安全策略|内容不合规|策略阻止|高风险"
    ]
        => CONTENT_POLICY, REFUSED, "https://docs.bigmodel.cn/cn/api/api-code";
}

text_rules! {
    REPLAY "replay":
    "signature" (alone) [
        "signature|thoughtsignature|thought signature|thought signatures",
        "thinking|thought|thoughtsignature|reasoning",
        "invalid|missing|required|corrupted|mismatch|verif*|not valid|must"
    ]
        => REPLAY_INVALID, Statuses::REQUEST, "https://platform.claude.com/docs/en/build-with-claude/extended-thinking";
    "thinking" (alone) [
        "thinking blocks|thinking block|redacted thinking|reasoning content|reasoning item",
        "cannot be modified|can not be modified|must remain|must be passed back|missing|without its required|\
         must be followed|must start with"
    ]
        => REPLAY_INVALID, Statuses::REQUEST, "https://platform.claude.com/docs/en/build-with-claude/extended-thinking";
    "pair" (alone) ["of type reasoning|of type function call|of type message", "without its required"]
        => REPLAY_INVALID, Statuses::REQUEST, "https://platform.openai.com/docs/guides/reasoning";
    "encrypted" (alone) [
        "encrypted content|encrypted reasoning",
        "could not|cannot|invalid|failed|not be|verif*|decrypt*|parsed"
    ]
        => REPLAY_INVALID, Statuses::REQUEST, "https://platform.openai.com/docs/guides/reasoning";
    "previous" (alone) [
        "previous response",
        "not found|expired|does not exist|invalid|not available|no response found"
    ]
        => REPLAY_INVALID.known_as("session_expired"), Statuses::REQUEST, "https://platform.openai.com/docs/guides/conversation-state";
    "item" (alone) ["item with id|items with id|items are not persisted", "not found|not persisted|duplicate"]
        => REPLAY_INVALID, Statuses::REQUEST, "https://platform.openai.com/docs/guides/conversation-state";
}

text_rules! {
    /// Limits of one parameter, which speak of tokens and are not the window.
    LIMITS_OF_PARAMETERS "parameter":
    "completion" (alone) [
        "max tokens|max completion tokens|max output tokens|max new tokens",
        "supports at most|too large|must be less|should be in|must be at least|must be greater|\
         maximum allowed number of output tokens|above minimum|below minimum|is not supported with|\
         is not supported|unsupported parameter|use max completion tokens",
        "!context|input length|input token*|prompt|inputs"
    ]
        => FORMAT.of_this_model(), Statuses::REQUEST, "https://platform.openai.com/docs/api-reference/chat/create";
    "output" (alone) [
        "max tokens|max completion tokens|max output tokens|output tokens|maximum tokens you requested",
        "cannot exceed|exceed the model limit of|lower than|of max output tokens|must be less than or equal to",
        "!context length|context limit|input length|input token*|prompt"
    ]
        => FORMAT.of_this_model(), Statuses::REQUEST, "https://docs.databricks.com/aws/en/machine-learning/model-serving/model-serving-limits";
    "value" (alone) [
        "invalid value|invalid type|input should be",
        "supported values are|allowed values are|must be one of|expected one of|input should be",
        "!model|models"
    ]
        => FORMAT, Statuses::S400.and(Statuses::S422), "https://platform.openai.com/docs/api-reference";
    "array" (alone) ["array too long|maximum length", "array with maximum length|array with length"]
        => FORMAT, Statuses::REQUEST, "https://github.com/openai/openai-dotnet/issues/317";
    "thinking-budget" (alone) ["thinking budget|budget tokens", "must|greater|less|range|between|exceed*"]
        => FORMAT.of_this_model(), Statuses::REQUEST, "https://platform.claude.com/docs/en/build-with-claude/extended-thinking";
}

text_rules! {
    /// A window named as such, and something that does not fit in it.
    OVERFLOW_SURE "overflow":
    "window" (alone) [
        "context length|context window|context size|context limit|context the overflows|available context|\
         maximum context|max context|context tokens|contextlength|n ctx",
        "exceed*|too long|too large|longer than|larger than|greater than|more than|overflow*|not enough|only|\
         cannot fit|can t fit|does not fit|reduce|however|reached|over the|out of|beyond|is full|ran out",
        "!per minute|per day|tokens per min|free requests|can only afford|is not supported|beta|tier"
    ]
        => OVERFLOW, TOO_LONG, "https://developers.openai.com/docs/guides/error-codes";
    "prompt" (alone) [
        "prompt|input|inputs|request|messages|conversation|query|message",
        "is too long|too long|too many tokens|exceeds the maximum number of tokens|exceeds maximum length|\
         exceeds the maximum length|\
         exceeds the model|exceeded model token limit|maximum prompt length|maximum input length|\
         maximum allowed input length|maximum allowed length|allowed input length|max prompt tokens|\
         token count exceeds|is longer than|longer than the model|too large for model|too large for the model|too large for this model|exceeds max length|\
         maximum number of input tokens|input tokens exceeded|tokens too long|max input characters|\
         exceeds the token limit|exceeded the token limit|exceeds token limit|max input length|\
         is too large to process",
        "!per minute|per day|tpm|please wait|wait before|rate limit*|image|file|audio|string too long|\
         password|name|took too long|takes too long|taking too long"
    ]
        => OVERFLOW, TOO_LONG, "https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html";
    "counted" (alone) [
        "input token count|token count|prompt token count|total tokens|number of tokens|\
         number of input tokens|input tokens|prompt tokens|prompt contains|requested tokens|token limit|\
         tokens limit|model token limit",
        "exceed*|greater than|larger than|more than|over|too large|must be",
        "!per minute|per day|per hour|tpm|tpd|rpm|rate limit*|quota|can only afford|credits|to increase|budget"
    ]
        => OVERFLOW, TOO_LONG, "https://ai.google.dev/gemini-api/docs/tokens";
    "shorten" (alone) [
        "reduce the length|reduce your prompt|shorten your prompt|shorter input|shorten the input|\
         reduce the prompt|reduce the input|reduce the number of tokens|start a new conversation|\
         decrease input length",
        "!per minute|tpm|rate limit*"
    ]
        => OVERFLOW, TOO_LONG, "https://developers.openai.com/docs/guides/error-codes";
    "body-tokens" (alone) ["max size|max tokens", "request body too large|body too large", "tokens"]
        => OVERFLOW, TOO_LONG, "https://docs.github.com/en/github-models";
    "less" (alone) [
        "must have less than|must be less than the context|must be less than or equal to the maximum",
        "tokens|context length",
        "!max output|output tokens"
    ]
        => OVERFLOW, TOO_LONG, "https://huggingface.co/docs/text-generation-inference";
    "sum" (alone) ["inputs tokens|input tokens|inputs", "max new tokens|max tokens", "must be|exceed*"]
        => OVERFLOW, TOO_LONG, "https://huggingface.co/docs/text-generation-inference";
    "range" (alone) ["range of input length should be|input length should be|input length exceed*|context overflow"]
        => OVERFLOW, TOO_LONG, "https://help.aliyun.com/en/model-studio/error-code";
    "zh" (alone) [
        "超长|上下文长度|上下文过长|超过最大长度|超出最大长度|输入过长|输入长度|长度超过|长度超出|超过模型|\
         上下文超|过长"
    ]
        => OVERFLOW, TOO_LONG, "https://docs.bigmodel.cn/cn/api/api-code";
}

text_rules! {
    OVERFLOW_WIDE "overflow-wide":
    "tokens" (alone) [
        "too many tokens|too many input tokens|maximum tokens|max tokens exceeded|max token limit|\
         maximum token*|exceed* tokens",
        "!per minute|per day|please wait|wait before|try again|rate|quota|throttl*|processed|day|hour"
    ]
        => OVERFLOW, TOO_LONG.except(Statuses::SERVER), "https://docs.cohere.com/reference/errors";
}

text_rules! {
    PAYLOAD "payload":
    "body" [
        "request entity too large|payload too large|entity too large|body is too large|body too large|\
         request too large|request is too large|content too large|request body size|body exceeded|\
         request size exceeds|total message size|maximum allowed number of bytes",
        "!per minute|tpm|tokens per"
    ]
        => TOO_LARGE, Statuses::REQUEST, "https://platform.claude.com/docs/en/api/errors";
    "image" (alone) [
        "image|images|image dimensions|pixels|resolution",
        "exceed*|too large|too many|maximum|max allowed size|larger than|at most|limit"
    ]
        => TOO_LARGE.known_as("format"), Statuses::REQUEST, "https://platform.claude.com/docs/en/build-with-claude/vision";
    "file" [
        "file size|file is too large|file too large|audio file|video|document|pdf|attachment|attachments|\
         number of files|pages",
        "exceed*|too large|too big|maximum|max file size|max file count|larger than|at most"
    ]
        => TOO_LARGE.known_as("format"), Statuses::REQUEST, "https://platform.kimi.com/docs/api/errors";
    "string" [
        "string too long|string is too long|maximum number of bytes|exceeds the maximum size|maximum size"
    ]
        => TOO_LARGE.known_as("format"), Statuses::REQUEST, "https://platform.openai.com/docs/api-reference";
}

text_rules! {
    /// A complaint about one value, which is often quoted at length. It says no more than the status, and it keeps what
    /// stands in the quote from being read as the message.
    QUOTED "quoted":
    "value" [
        "invalid value|invalid type|unexpected|expected|does not match|input tag|input should be|not a valid|\
         invalid input|validation error|failed to parse|could not parse|cannot parse"
    ]
        => FORMAT, Statuses::S400.and(Statuses::S422), "https://developers.openai.com/docs/guides/error-codes";
}

text_rules! {
    SHAPE "shape":
    "parameter" (vague) [
        "rejected the request schema|rejected the request|request rejected|invalid request|invalid parameter|\
         invalid parameters|invalid params|invalid value|invalid type|invalid argument|invalid arguments|\
         invalid schema|invalid json|invalid input|invalid tool call|invalid tool|\
         invalid format|invalid body|invalid field|malformed|\
         missing required|required parameter|required field|field required|unknown parameter|\
         unrecognized request|unrecognized field|unsupported parameter|unsupported value|unsupported content|\
         unexpected field|unexpected role|extra inputs|extra fields|validation error|validation failed|\
         bad request|not a valid|failed to parse|could not parse|cannot parse|unable to parse|unprocessable"
    ]
        => FORMAT, UNSAID, "https://developers.openai.com/docs/guides/error-codes";
    "roles" (vague) [
        "roles must alternate|tool use ids|tool result|tool results|tool call id|tool calls|tool call ids|\
         function name|must be followed by|must alternate|jinja|chat template|template",
        "must|without|not found|error|exception|invalid|expected|missing|unexpected|duplicate|duplicated|raise"
    ]
        => FORMAT, UNSAID, "https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use";
    "support" (vague) [
        "does not support|doesn t support|do not support|is not supported with|not supported by|\
         is not supported when|not supported for this model|not support|unsupported"
    ]
        => FORMAT.of_this_model(), UNSAID, "https://platform.openai.com/docs/api-reference";
    "argument" (vague) [
        "specified an invalid argument|argument not supported|not supported together|invalid argument|\
         must be a|must be an|must be one of|should be a|cannot be empty|must not be empty|be non empty|have non empty|\
         is required|are required|expected a|expected an|\
         not of type|is not allowed"
    ]
        => FORMAT, UNSAID, "https://grpc.io/docs/guides/status-codes/";
    "zh" (vague) ["参数有误|参数错误|参数非法|参数不合法|非法参数|参数缺失|缺少参数|请求参数|格式错误|参数异常"]
        => FORMAT, UNSAID, "https://docs.bigmodel.cn/cn/api/api-code";
}
