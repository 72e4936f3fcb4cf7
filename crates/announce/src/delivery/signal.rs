//! Reading a foreign delivery error into one flat signal: channel, status, codes, messages, stated delay, new address.
//!
//! Clients wrap the same answer in many shapes: fields at the top, a body as a string of JSON, an error inside an error,
//! JSON after a prefix. All of them end in the same few lists, what is outermost first, so that rules need to know no
//! shape. What the caller *sent* is skipped: an echoed message must not classify its own failure.
//!
//! What must stay true: everything is bounded ([`MOST_NODES`], [`DEEPEST`], the bytes of JSON in
//! [`embedded`](super::embedded)), so that whoever sends a megabyte of nested arrays gets a verdict for its beginning; and
//! what the error itself holds is borrowed, so that a structured error allocates nothing.

use std::{borrow::Cow, time::Duration};

use moorline_taxonomy::Effect;
use serde_json::{Map, Number, Value};

use super::{
    Scope,
    channel::Channel,
    embedded,
    kept::{Few, Word},
    keys::{Role, Shape, role},
    text,
};

/// Values that are looked at.
const MOST_NODES: usize = 192;
/// Levels that are read, JSON in strings included.
const DEEPEST: usize = 8;
/// Codes that are kept.
const MOST_CODES: usize = 8;
/// Messages that are kept.
const MOST_MESSAGES: usize = 6;
/// A longer word is no code.
const LONGEST_CODE: usize = 64;
/// A stated delay beyond this is no answer to "when".
pub(super) const LONGEST_DELAY: Duration = Duration::from_secs(30 * 24 * 3600);

/// What an error carries.
#[derive(Debug)]
pub(super) struct Signal<'e> {
    pub(super) channel: Option<Channel>,
    /// The error names a channel, whether or not it has a table.
    pub(super) names_channel: bool,
    pub(super) status: Option<u16>,
    pub(super) codes: Few<Word<'e>, MOST_CODES>,
    /// A narrower code, asked first.
    pub(super) subcode: Option<Word<'e>>,
    pub(super) messages: Few<Cow<'e, str>, MOST_MESSAGES>,
    pub(super) retry_after: Option<Duration>,
    pub(super) scope: Option<Scope>,
    pub(super) moved_to: Option<Word<'e>>,
    /// What the caller says of the effect.
    pub(super) effect: Effect,
    /// The connection was still being made: nothing was sent.
    pub(super) connecting: bool,
    shape: Answers,
    nodes: usize,
    pub(super) json: usize,
}

/// Keys that were met of those that only some channels answer with.
#[derive(Debug)]
struct Answers {
    ok: bool,
    error: bool,
    error_code: bool,
    description: bool,
    trace: bool,
}

impl<'e> Signal<'e> {
    /// A signal that says nothing yet. A constant and no `Default`: copying it costs a fraction of building it, since what
    /// was just written in pieces cannot be read again as a whole without waiting.
    pub(super) const EMPTY: Self = Self {
        channel: None,
        names_channel: false,
        status: None,
        codes: Few::EMPTY,
        subcode: None,
        messages: Few::EMPTY,
        retry_after: None,
        scope: None,
        moved_to: None,
        effect: Effect::None,
        connecting: false,
        shape: Answers { ok: false, error: false, error_code: false, description: false, trace: false },
        nodes: 0,
        json: 0,
    };

    /// Reads an error into a signal that is new. In place: a signal is large, and moving it costs more than reading.
    pub(super) fn read(&mut self, error: &'e Value) {
        self.value(Role::Message, error, 0);
        self.infer_status();
        self.infer_channel();
    }

    /// One more value is looked at, if there is room; says whether it may be.
    pub(super) fn enter(&mut self, depth: usize) -> bool {
        self.nodes += 1;
        self.nodes <= MOST_NODES && depth <= DEEPEST
    }

    fn value(&mut self, role: Role, value: &'e Value, depth: usize) {
        if !self.enter(depth) {
            return;
        }
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => self.number(role, number),
            Value::String(string) => self.string(role, Cow::Borrowed(string), depth),
            Value::Array(values) => {
                for value in values.iter().take(MOST_NODES) {
                    self.value(role, value, depth + 1);
                }
            }
            Value::Object(map) => self.object(role, map, depth),
        }
    }

    fn object(&mut self, above: Role, map: &'e Map<String, Value>, depth: usize) {
        // What an object says of itself comes before what it carries.
        let mut carries = false;
        for (key, value) in map.iter().take(MOST_NODES) {
            match value {
                Value::String(text) if !embedded::may_hold_json(text) => {
                    let role = self.role(key, role(key), above);
                    if role == Role::Channel && depth == 0 {
                        self.channel(key, text);
                    } else {
                        self.word(role, Cow::Borrowed(text));
                    }
                }
                Value::Number(number) => {
                    let role = self.role(key, role(key), above);
                    self.number(role, number);
                }
                Value::Bool(said) => self.said(role(key), *said),
                Value::Null => {}
                Value::String(_) | Value::Array(_) | Value::Object(_) => carries = true,
            }
            if !self.enter(depth) {
                return;
            }
        }
        if !carries {
            return;
        }
        for (key, value) in map.iter().take(MOST_NODES) {
            let holds = match value {
                Value::String(text) => embedded::may_hold_json(text),
                Value::Array(_) | Value::Object(_) => true,
                Value::Null | Value::Bool(_) | Value::Number(_) => false,
            };
            if !holds {
                continue;
            }
            let role = self.role(key, role(key), above);
            if role == Role::Headers {
                self.headers(value);
            } else if !matches!(role, Role::Sent | Role::Channel) {
                self.value(role, value, depth + 1);
            }
        }
    }

    /// The role of a key, given what stands above it; notes the keys that tell whose answer this is.
    #[inline]
    pub(super) fn role(&mut self, key: &str, role: Role, above: Role) -> Role {
        let met = &mut self.shape;
        match role {
            Role::Payload => return if above == Role::Output { Role::Output } else { Role::Sent },
            Role::Code => met.error_code |= key == "error_code",
            Role::Message => met.description |= key == "description",
            Role::CodeOrMessage => met.error |= key == "error",
            Role::Shape(Shape::Trace) => met.trace = true,
            Role::Sent
            | Role::Output
            | Role::Channel
            | Role::Headers
            | Role::Global
            | Role::DelaySeconds
            | Role::DelayMillis
            | Role::Moved
            | Role::Status
            | Role::Syscall
            | Role::Effect
            | Role::Id
            | Role::Subcode
            | Role::Shape(Shape::Ok)
            | Role::Other => {}
        }
        role
    }

    /// The outermost error's name of its channel.
    fn channel(&mut self, key: &str, name: &str) {
        let name = name.trim_ascii();
        if !name.is_empty() && (!self.names_channel || key == "channel") {
            self.names_channel = true;
            self.channel = Channel::named(name);
        }
    }

    pub(super) fn said(&mut self, role: Role, said: bool) {
        if role == Role::Global && said {
            self.scope = Some(Scope::Global);
        }
        self.shape.ok |= role == Role::Shape(Shape::Ok);
    }

    #[inline]
    pub(super) fn number(&mut self, role: Role, number: &Number) {
        match role {
            Role::DelaySeconds => match number.as_u64() {
                Some(seconds) => self.pause(Duration::from_secs(seconds)),
                None => self.delay(number.as_f64()),
            },
            Role::DelayMillis => match number.as_u64() {
                Some(millis) => self.pause(Duration::from_millis(millis)),
                None => self.delay(number.as_f64().map(|millis| millis / 1000.0)),
            },
            Role::Moved => self.moved(number.as_i64().map(Word::Number)),
            Role::Status => self.status(number.as_u64()),
            Role::Subcode => self.subcode = number.as_i64().map(Word::Number),
            Role::Code | Role::CodeOrMessage => {
                if let Some(number) = number.as_i64() {
                    self.code(Word::Number(number));
                }
            }
            Role::Sent
            | Role::Payload
            | Role::Output
            | Role::Channel
            | Role::Headers
            | Role::Global
            | Role::Message
            | Role::Syscall
            | Role::Effect
            | Role::Id
            | Role::Shape(_)
            | Role::Other => {}
        }
    }

    /// A text that may hold JSON.
    pub(super) fn string(&mut self, role: Role, string: Cow<'e, str>, depth: usize) {
        if matches!(role, Role::Sent | Role::Channel) {
            return;
        }
        let Some(start) = embedded::start(&string) else { return self.word(role, string) };
        let is_json = match &string {
            Cow::Borrowed(text) => embedded::read(self, role, &text[start..], depth + 1, Cow::Borrowed),
            // A text inside JSON inside a text: nothing else holds it, so what it says is kept.
            Cow::Owned(text) => {
                embedded::read(self, role, &text[start..], depth + 1, |text| Cow::Owned(text.to_owned()))
            }
        };
        if !is_json {
            return self.word(role, string);
        }
        // The text before embedded JSON may say more.
        let before = match string {
            Cow::Borrowed(string) => Cow::Borrowed(&string[..start]),
            Cow::Owned(mut string) => {
                string.truncate(start);
                Cow::Owned(string)
            }
        };
        if before.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
            self.word(role, before);
        }
    }

    /// One text, under the role it was found in.
    pub(super) fn word(&mut self, role: Role, word: Cow<'e, str>) {
        let trimmed = || word.trim_ascii();
        match role {
            Role::DelaySeconds => self.delay(trimmed().parse().ok()),
            Role::DelayMillis => self.delay(trimmed().parse().ok().map(|millis: f64| millis / 1000.0)),
            Role::Moved => self.moved(Some(Word::Text(word))),
            Role::Status => match trimmed().parse() {
                Ok(status) => self.status(Some(status)),
                Err(_) => self.code(Word::Text(word)),
            },
            Role::Subcode => self.subcode = Some(Word::Text(word)),
            Role::Code => self.code(Word::Text(word)),
            // Mattermost's name of an error.
            Role::Id if trimmed().ends_with("error") => self.code(Word::Text(word)),
            Role::Id => {}
            Role::CodeOrMessage => {
                if is_code(&word) {
                    self.code(Word::Text(word.clone()));
                }
                self.message(word);
            }
            Role::Message | Role::Output => self.message(word),
            Role::Syscall => self.connecting |= matches!(trimmed(), "connect" | "getaddrinfo"),
            Role::Effect => {
                let stated = Effect::ALL.into_iter().find(|effect| effect.as_str() == trimmed());
                self.effect = self.effect.max(stated.unwrap_or_default());
            }
            Role::Sent
            | Role::Payload
            | Role::Channel
            | Role::Headers
            | Role::Global
            | Role::Shape(_)
            | Role::Other => {}
        }
    }

    fn status(&mut self, status: Option<u64>) {
        match status.and_then(|status| u16::try_from(status).ok()) {
            Some(http @ 100..=599) => self.status = self.status.or(Some(http)),
            // Some channels number their errors there.
            Some(number @ (1..100 | 600..)) => self.code(Word::Number(number.into())),
            Some(0) | None => {}
        }
    }

    fn moved(&mut self, to: Option<Word<'e>>) {
        if self.moved_to.is_none() {
            self.moved_to = to;
        }
    }

    #[inline]
    fn code(&mut self, word: Word<'e>) {
        if word.text().is_none_or(is_code) && !self.codes.iter().any(|code| *code == word) {
            self.codes.push(word);
        }
    }

    fn message(&mut self, message: Cow<'e, str>) {
        let message = match message {
            Cow::Borrowed(message) => Cow::Borrowed(text::head(message.trim_ascii())),
            Cow::Owned(message) => Cow::Owned(message),
        };
        if !message.is_empty() && !self.messages.iter().any(|known| *known == message) {
            self.messages.push(message);
        }
    }

    pub(super) fn delay(&mut self, seconds: Option<f64>) {
        if let Some(seconds) = seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0) {
            self.pause(Duration::from_secs_f64(seconds.min(LONGEST_DELAY.as_secs_f64())));
        }
    }

    fn pause(&mut self, delay: Duration) {
        let delay = delay.min(LONGEST_DELAY);
        // Two places that disagree: the longer one is safe under both.
        self.retry_after = Some(self.retry_after.map_or(delay, |known| known.max(delay)));
    }

    fn headers(&mut self, headers: &Value) {
        let Value::Object(headers) = headers else { return };
        for (name, value) in headers.iter().take(MOST_NODES) {
            let value = match value {
                Value::Array(values) => values.first().unwrap_or(value),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                    value
                }
            };
            match value {
                Value::String(text) => self.header(name, text.trim_ascii()),
                Value::Number(number) if is_delay(name) => self.delay(number.as_f64()),
                Value::Number(_) => {}
                Value::Bool(true) => self.header(name, "true"),
                Value::Null | Value::Bool(false) | Value::Array(_) | Value::Object(_) => {}
            }
        }
    }

    pub(super) fn header(&mut self, name: &str, value: &str) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is_delay(name) {
            self.delay(value.parse().ok());
        } else if is("x-ratelimit-global") {
            if value == "true" {
                self.scope = Some(Scope::Global);
            }
        } else if is("x-ratelimit-scope") {
            match value {
                "global" => self.scope = Some(Scope::Global),
                "shared" => self.scope = Some(Scope::Chat),
                "user" => self.scope = self.scope.or(Some(Scope::Bot)),
                _ => {}
            }
        }
    }

    /// Telegram's `error_code` and many a `code` repeat the status. A proxy's own is not among them: no body repeats it.
    fn infer_status(&mut self) {
        if self.status.is_none() {
            self.status = self.codes.iter().find_map(Word::status).filter(|status| *status != 407);
        }
    }

    /// The channel of an error that does not name one, by the shape that only this channel answers in.
    fn infer_channel(&mut self) {
        if self.names_channel {
            return;
        }
        let said = |lead: &str| self.messages.iter().any(|message| message.starts_with(lead));
        let named =
            |name: &str| self.codes.iter().any(|code| code.text().is_some_and(|code| code.starts_with(name)));
        self.channel = if named("M_") || named("ORG_MATRIX_") {
            Some(Channel::Matrix)
        } else if self.shape.error_code && self.shape.description {
            Some(Channel::Telegram)
        } else if said("DiscordAPIError") || named("DiscordAPIError") {
            Some(Channel::Discord)
        } else if said("(#") || self.shape.trace {
            Some(Channel::WhatsApp)
        } else if self.shape.ok && self.shape.error || named("slack_") {
            Some(Channel::Slack)
        } else {
            None
        };
    }
}

fn is_delay(header: &str) -> bool {
    header.eq_ignore_ascii_case("retry-after") || header.eq_ignore_ascii_case("x-ratelimit-reset-after")
}

/// Whether a text may be a code: one word, and not a long one.
pub(super) fn is_code(word: &str) -> bool {
    !word.is_empty() && word.len() <= LONGEST_CODE && !word.bytes().any(|byte| byte.is_ascii_whitespace())
}
