//! What operating systems and HTTP clients say, whatever the channel.
//!
//! The lines that matter run between "never connected" (nothing was sent: effect *none*), "broke or ran out of time under
//! a request that had left" (*uncertain*), and a failure that does not say which of the two it was.

use super::rules::{Rule, Table, rows};

pub(super) const TABLE: Table = Table {
    source: "man 3 errno; nodejs.org/api/errors.html#common-system-errors; undici.nodejs.org/#/docs/api/Errors; \
             docs.rs/reqwest/latest/reqwest/struct.Error; docs.python-requests.org/en/latest/api/#exceptions; \
             www.python-httpx.org/exceptions; github.com/axios/axios#error-handling; pkg.go.dev/net#OpError; \
             chromium.googlesource.com/chromium/src/+/main/net/base/net_error_list.h; docs.oracle.com/javase/8/docs/api/java/net; api.dart.dev/dart-io/SocketException-class.html",
    codes: rows! { "transport";
        TRANSIENT {
            "ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "EAI_NONAME", "EAI_NODATA", "ESERVFAIL", "EREFUSED", "EHOSTUNREACH", "EHOSTDOWN",
            "ENETUNREACH", "ENETDOWN", "EADDRNOTAVAIL", "EDNS", "ECONNECTION", "UND_ERR_CONNECT_TIMEOUT",
            "ConnectTimeoutError", "ConnectTimeout", "ConnectionRefusedError", "ConnectError", "NewConnectionError",
            "NameResolutionError", "PoolTimeout", "ClientConnectorError", "ClientConnectorDNSError", "ProxyError",
            "ERR_SOCKET_CONNECTION_TIMEOUT", "ERR_TLS_HANDSHAKE_TIMEOUT", "ConnectionRefused", "FailedToOpenSocket",
            "HostUnreachable", "NetworkUnreachable", "UnknownHostException", "NoRouteToHostException", "ConnectException",
            "HttpConnectTimeoutException", "ERR_NAME_NOT_RESOLVED", "ERR_NAME_RESOLUTION_FAILED", "ERR_INTERNET_DISCONNECTED",
            "ERR_CONNECTION_REFUSED", "ERR_CONNECTION_FAILED", "ERR_CONNECTION_TIMED_OUT", "ERR_ADDRESS_UNREACHABLE",
            "ERR_PROXY_CONNECTION_FAILED", "ERR_TUNNEL_CONNECTION_FAILED", "ERR_SSL_PROTOCOL_ERROR",
        }
        CUT {
            "ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT", "ESOCKETTIMEDOUT", "ETIME", "UND_ERR_SOCKET",
            "UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT", "UND_ERR_ABORTED", "UND_ERR_CLOSED",
            "UND_ERR_DESTROYED", "UND_ERR_RESPONSE_STATUS_CODE", "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
            "ERR_STREAM_PREMATURE_CLOSE", "ERR_HTTP2_STREAM_ERROR", "ERR_HTTP2_GOAWAY_SESSION",
            "ERR_HTTP2_STREAM_CANCEL", "ABORT_ERR", "AbortError", "TimeoutError", "ReadTimeout", "ReadTimeoutError",
            "WriteTimeout", "ReadError", "WriteError", "RemoteProtocolError", "RemoteDisconnected", "IncompleteRead",
            "ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError", "ServerDisconnectedError",
            "ServerTimeoutError", "SocketError", "HeadersTimeoutError", "BodyTimeoutError", "ChunkedEncodingError",
            "ConnectionReset", "ConnectionClosed", "BrokenPipe", "TimedOut", "UnexpectedEof", "IncompleteMessage",
            "SocketTimeoutException", "HttpTimeoutException", "ERR_CONNECTION_RESET", "ERR_CONNECTION_CLOSED",
            "ERR_CONNECTION_ABORTED", "ERR_EMPTY_RESPONSE", "ERR_TIMED_OUT", "ERR_NETWORK_CHANGED", "ERR_HTTP2_PROTOCOL_ERROR",
            "ERR_QUIC_PROTOCOL_ERROR", "ERR_SOCKET_NOT_CONNECTED",
        }
        BROKEN {
            "ERR_NETWORK", "ESOCKET", "ENETRESET", "FetchError", "HttpError", "NetworkError", "RequestError",
        }
    },
    texts: rows! { "transport";
        TRANSIENT {
            "connect econnrefused", "connect etimedout", "connect ehostunreach", "connect enetunreach",
            "connect econnreset", "getaddrinfo", "connection refused", "could not resolve host", "couldn't resolve host",
            "failed to lookup address", "dns lookup", "dns error", "dns resolution failed", "network is unreachable",
            "no route to host", "name or service not known", "nodename nor servname provided", "no such host",
            "temporary failure in name resolution", "connect timeout", "connection timed out while connecting",
            "connection attempt timed out", "tcp connect error", "failed to connect to", "failed to establish a new connection",
            "unable to connect", "couldn't connect to server", "cannot connect to host", "all connection attempts failed",
            "tls handshake timeout", "client network socket disconnected before secure tls connection",
            "dial tcp", "i/o timeout while dialing", "service unavailable", "service temporarily unavailable",
            "failed host lookup", "opening handshake has timed out", "connecting timed out", "temporarily unavailable", "server is busy", "overloaded", "try again later", "websocket not open",
            "websocket is not open", "not connected",
        }
        CUT {
            "socket hang up", "read econnreset", "write econnreset", "write epipe", "read etimedout", "connection reset",
            "connection closed", "connection aborted", "connection lost", "connection broken", "broken pipe",
            "operation timed out", "request timeout", "request timed out", "read timed out", "read timeout",
            "timed out", "timeout", "response timeout", "headers timeout", "body timeout", "the operation was aborted",
            "this operation was aborted", "context deadline exceeded", "deadline exceeded", "unexpected eof",
            "unexpected end of file", "premature close", "incomplete message", "incomplete read", "stream closed",
            "other side closed", "server disconnected", "remote end closed connection", "peer closed connection",
            "the socket connection was closed unexpectedly", "terminated$", "empty reply from server", "goaway",
        }
        BROKEN {
            "network request for", "network error", "network request failed", "networkerror when attempting", "fetch failed",
            "failed to fetch", "request failed due to network", "error sending request", "a network error",
            "bad gateway", "gateway timeout", "gateway time-out", "internal server error", "internal error",
            "upstream connect error", "upstream request timeout", "an unexpected error",
        }
        LIMITED_BOT {
            "rate limit exceeded", "rate limited", "rate limit reached", "rate limit hit", "ratelimited", "rate-limited",
            "too many requests", "quota exceeded", "request was throttled", "slow down",
        }
        PAYLOAD { "payload too large", "request entity too large", "unprocessable entity" }
        AUTH { "unauthorized$", "invalid api key", "unauthenticated" }
    },
};

/// Where [`MENTIONS`] come from.
pub(super) const MENTIONS_SOURCE: &str = "plain words, wherever they stand; tried last";

/// Words that mean a passing fault wherever they stand, for errors that nothing else recognises.
pub(super) const MENTIONS: &[Rule] = rows! { "mention";
    LIMITED_BOT {
        "rate limit", "rate-limit", "rate limited", "rate-limited", "rate limits", "ratelimit", "frequency limit",
        "too many requests", "too many messages", "flood control", "throttled", "throttling", "slow mode", "too quickly",
        "sending too fast",
    }
    TRANSIENT {
        "cannot connect to host", "failed to establish a new connection", "before secure tls connection was established",
        "connection refused", "name resolution", "temporarily unavailable", "econnrefused", "enotfound", "eai_again",
        "no such host", "connect timeout", "connect etimedout", "service unavailable", "ehostunreach", "enetunreach",
        "under maintenance", "try again later",
    }
    CUT {
        "timed out", "timeout", "connection reset", "connection closed", "connection lost", "socket hang up",
        "socket disconnected", "econnreset", "etimedout", "epipe", "broken pipe", "deadline exceeded",
    }
    BROKEN { "network error", "network is unreachable", "bad gateway", "internal server error", "fetch failed" }
};
