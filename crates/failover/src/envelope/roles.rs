//! What a key of an envelope says about its value. A key that is not in here is never looked into.

use crate::delay::body::{self, DelayKey};

/// The part that a value plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Not ours: an echoed request, an id, a usage count.
    Unknown,
    /// A code; a number may also be an HTTP status.
    Code,
    /// A type, a status word or a reason word.
    Kind,
    /// An HTTP status as a number, or a status word.
    Status,
    /// For people.
    Message,
    /// An error: an object to look into, or a text.
    Error,
    /// An object or array to look into; a text in it is read only as a document of its own.
    Inside,
    /// What a provider behind this one said.
    Upstream,
    /// When to try again.
    Delay(DelayKey),
}

/// The longest key that means something.
const MAX_KEY: usize = 24;

/// The role of a key.
pub(super) fn of(key: &[u8]) -> Role {
    let mut buffer = [0_u8; MAX_KEY];
    let mut len = 0;
    for byte in key.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        let Some(slot) = buffer.get_mut(len) else { return Role::Unknown };
        *slot = byte.to_ascii_lowercase();
        len += 1;
    }
    let key = &buffer[..len];
    match key {
        b"code" | b"errorcode" | b"errcode" | b"errno" | b"limitsource" => Role::Code,
        b"type" | b"errortype" | b"reason" | b"name" | b"exception" | b"exceptiontype"
        | b"xamznerrortype" | b"category" | b"finishreason" | b"blockreason" => Role::Kind,
        b"status" | b"statuscode" | b"httpstatus" | b"httpcode" | b"httpstatuscode" => Role::Status,
        b"message" | b"msg" | b"errormsg" | b"errmsg" | b"errormessage" | b"statusmsg" | b"statusmessage"
        | b"description" | b"errordescription" | b"title" | b"faultstring" | b"text" => Role::Message,
        b"error" | b"err" | b"errors" | b"detail" | b"details" | b"body" | b"response" | b"responsebody"
        | b"cause" | b"causes" | b"lasterror" | b"originalerror" | b"innererror" | b"inner" | b"source"
        | b"fault" => Role::Error,
        b"data" | b"metadata" | b"baseresp" | b"param" | b"parameters" | b"headers" | b"responseheaders"
        | b"result" | b"candidates" | b"incompletedetails" | b"promptfeedback" | b"extra" => Role::Inside,
        b"raw" | b"externalmodelerror" | b"upstreamerror" | b"upstream" | b"providererror" => Role::Upstream,
        _ => body::key(key).map_or(Role::Unknown, Role::Delay),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_of_keys_does_not_matter() {
        for key in ["status_code", "statusCode", "STATUS-CODE"] {
            assert_eq!(of(key.as_bytes()), Role::Status);
        }
        assert_eq!(of(b"retryDelay"), Role::Delay(DelayKey::RetryAfter));
        assert_eq!(of(b"__type"), Role::Kind);
    }

    #[test]
    fn echoes_are_not_looked_into() {
        for key in [
            "messages",
            "prompt",
            "input",
            "request",
            "content",
            "failed_generation",
            "url",
            "id",
            "usage",
            "",
        ] {
            assert_eq!(of(key.as_bytes()), Role::Unknown, "{key}");
        }
    }
}
