//! Wordings of the way there and back: trust, broken connections, no answer in time, answers without content, faults
//! inside the server.

use super::{
    super::outcome::{AUTH_PERMANENT, EMPTY_RESPONSE, FORMAT, RATE_LIMIT, SERVER_ERROR, TIMEOUT, TLS_TRUST},
    Statuses, text_rules,
};
use crate::verdict::Scope;

/// A transport breaks without a status, or a proxy reports it under one of its own.
const NO_ANSWER: Statuses = Statuses::UNSAID
    .and(Statuses::S408)
    .and(Statuses::S409)
    .and(Statuses::S424)
    .and(Statuses::OTHER_4XX)
    .and(Statuses::SERVER);

text_rules! {
    TRUST "trust":
    "certificate" [
        "certificate has expired|certificate is expired|certificate expired|certificate verify failed|\
         certificate verification failed|unable to verify the first certificate|self signed certificate|\
         unable to get local issuer certificate|unable to get issuer certificate|\
         unknown certificate authority|unknown issuer|certificate is not trusted|certificate not trusted|\
         untrusted root|certificate is not yet valid|invalid peer certificate|\
         certificate signed by unknown authority|hostname ip does not match certificate|\
         does not match certificate|cert has expired|certificate has been revoked|certificate is revoked|\
         certificate authority is invalid|sslcertverificationerror|unknownissuer|err cert authority invalid|\
         err cert date invalid|err cert common name invalid|err cert revoked|certificate is not valid for"
    ]
        => TLS_TRUST, Statuses::UNSAID, "https://nodejs.org/api/tls.html#x509-certificate-error-codes";
}

text_rules! {
    BROKEN "transport":
    "timeout" [
        "readtimeout|connecttimeout|writetimeout|pooltimeout|timeouterror|apitimeouterror|timed out|timeout|\
         time out|timeouts|deadline exceeded|deadline for the request expired|deadline expired|\
         within the deadline|took too long|did not respond|no response from|stalled|no progress"
    ]
        => TIMEOUT, NO_ANSWER, "https://grpc.io/docs/guides/status-codes/";
    // A client's "disconnected" around what the server itself said went wrong.
    "said" ["error occurred while processing your request"]
        => SERVER_ERROR, Statuses::UNSAID, "https://github.com/openai/codex/issues/27684";
    "connection" [
        "econnreset|econnrefused|econnaborted|etimedout|esockettimedout|enotfound|eai again|eai fail|eservfail|erefused|ehostunreach|\
         enetunreach|epipe|socket hang up|fetch failed|failed to fetch|network error|networkerror|\
         network failure|network connection|network is unreachable|connection error|connection reset|\
         connection refused|connection closed|connection aborted|connection was closed|connection lost|\
         connection terminated|connection failed|connection failure|connection interrupted|connect error|\
         cannot connect|can t connect|could not connect|failed to connect|unable to connect|\
         unable to communicate|lost connection|name resolution|nodename nor servname|\
         name or service not known|no such host|getaddrinfo|dns lookup|dns error|could not resolve|\
         failed to resolve|no route to host|could not be reached|cannot be reached|not reachable|broken pipe|disconnected without|server disconnected|peer closed|\
         remote end closed|closed connection|closed the connection|forcibly closed|incomplete chunked read|\
         premature close|premature end|prematurely|unexpected eof|unexpected end of|end of file|\
         other side closed|stream closed|stream ended|stream was reset|stream error|stream disconnected|\
         disconnected before|before completion|upstream connect error|reset before headers|bad record mac|\
         ssl handshake|tls handshake|handshake failure|handshake failed|handshake timeout|ssl error|ssl alert|\
         remoteprotocolerror|connecterror|readerror|apiconnectionerror|websocket closed|websocket connection|\
         goaway|go away|network|error sending request|error decoding response body|\
         failed to parse stream|stream was not closed cleanly|stream not closed cleanly|stream error in the http 2|nghttp2|http2 error|\
         err name not resolved|err internet disconnected|err connection refused|err connection reset|\
         err connection closed|err connection aborted|err connection timed out|err timed out|err network changed|\
         err address unreachable|err proxy connection failed|err tunnel connection failed|err empty response|\
         err ssl protocol error|err http2 protocol error|err quic protocol error|\
         connection attempts failed|incompletemessage|invalid response body while trying to fetch|\
         response payload is not completed|incompleteread|connection broken"
    ]
        => TIMEOUT, NO_ANSWER.except(Statuses::S500), "https://nodejs.org/api/errors.html#common-system-errors";
    "connection-500" [
        "econnreset|econnrefused|etimedout|socket hang up|fetch failed|connection error|connection reset|\
         connection refused|upstream connect error|stream disconnected"
    ]
        => TIMEOUT, Statuses::S500, "https://nodejs.org/api/errors.html#common-system-errors";
    "zh" ["请求超时|调用超时|响应超时|超时|网络错误|网络异常|连接失败"]
        => TIMEOUT, NO_ANSWER, "https://docs.bigmodel.cn/cn/api/api-code";
}

text_rules! {
    EMPTY "empty":
    "response" [
        "empty response|response is empty|response was empty|empty stream|empty content|empty completion|\
         empty message|empty output|returned no content|returned no choices|no choices|returned an empty|\
         returned empty|no content was returned|no output was generated|response contained no|response had no|\
         no response body|without content|without any content|without a finish reason|no finish reason|\
         no output generated|no response text|no assistant message|no assistant messages|\
         did not provide any assistant messages|without any chunks|malformed function call|empty response text",
        "!non empty|must be|must have|must not be|cannot be"
    ]
        => EMPTY_RESPONSE, Statuses::UNSAID.and(Statuses::SERVER), "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/2339";
}

text_rules! {
    /// A model that runs beside the server and broke: local servers say so under any status, 400 among them.
    ENGINE "engine":
    "gone" for [Local] [
        "model has crashed|model crashed|runner process|failed to load model|error loading model|model unloaded|\
         model was unloaded|enginedeaderror|insufficient system resources|no longer running|cuda error|out of memory|exit code"
    ]
        => SERVER_ERROR, Statuses::UNSAID.and(Statuses::S400).and(Statuses::SERVER), "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/1057";
    // What a server was not started for, which llama.cpp reports as its own failure.
    "feature" for [Local] ["param requires|is not supported hint|requires jinja|start the server with|disabled start it with"]
        => FORMAT.of_this_model(), Statuses::UNSAID.and(Statuses::SERVER), "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md";
}

text_rules! {
    /// Words too short to count beside any others: how `fetch` and Go's client report an answer that broke off.
    BARE "bare-transport":
    "broken-off" (vague) ["terminated|eof"]
        => TIMEOUT, Statuses::UNSAID, "https://undici.nodejs.org/#/docs/api/Errors";
}

text_rules! {
    /// Cloudflare's own answers in front of a provider, where the page is one line: `error code: 1033`.
    EDGE "edge":
    "limited" ["error code 1015"]
        => RATE_LIMIT, Statuses::ANY, "https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/";
    "blocked" ["error code 1005|error code 1006|error code 1007|error code 1008|error code 1009|error code 1010|error code 1020"]
        => AUTH_PERMANENT.on(Scope::Provider), Statuses::UNSAID.and(Statuses::S403), "https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/";
    "origin" [
        "error code 1000|error code 1001|error code 1014|error code 1016|error code 1018|error code 1033|\
         error code 1101|error code 1102|error code 520|error code 521|error code 523|error code 530"
    ]
        => SERVER_ERROR, Statuses::UNSAID.and(Statuses::SERVER), "https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/";
}

text_rules! {
    SERVER "server":
    "internal" (vague) [
        "internal server error|internal error|internal service error|server error|server had an error|\
         server encountered an error|unexpected error|unknown error|unexpected condition|something went wrong|\
         error processing your request|error occurred while processing|error while processing|\
         an error occurred|bad gateway|web server is down|invalid response from|upstream error|\
         unexpectedly stopped|model runner has|has crashed|crashed|exit code|exit status|has terminated|\
         failed to load model|out of memory|cuda error|panic|service error|system error|returned an error|\
         request failed|failed to process|no longer running|\
         prediction failed|prediction interrupted"
    ]
        => SERVER_ERROR, Statuses::UNSAID, "https://platform.claude.com/docs/en/api/errors";
    "zh" (vague) ["内部错误|系统错误|服务器错误|服务异常|系统异常|未知错误|服务错误|处理失败|调用失败"]
        => SERVER_ERROR, Statuses::UNSAID, "https://docs.bigmodel.cn/cn/api/api-code";
}
