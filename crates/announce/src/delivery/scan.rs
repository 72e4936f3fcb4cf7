//! One pass over a message: where a text may begin, which rules hold there, and what only a text carries.
//!
//! A message is read word by word. At each place where a text may begin its first bytes are looked up, at each word the
//! few phrases that hold anywhere; a word that cannot be one of a sentence may be a code. The option not taken is a pass
//! for each question, which is what made a verdict cost microseconds.
//!
//! What must stay true: every byte is looked at a bounded number of times, at most [`MOST_TEXT`] bytes of all messages
//! together, and nothing is allocated.

use super::{
    channel::Channel,
    index::{Says, index, is_unmistakable},
    rules::{BROKEN, Hint, Rule},
    text,
};

/// Places where a text may begin.
const MOST_BEGINNINGS: usize = 9;
/// Bytes of messages that are read in all.
const MOST_TEXT: usize = 1536;
/// Digits of the longest code.
const LONGEST_NUMBER: usize = 10;
/// Bytes of the longest word that may be a code.
const LONGEST_WORD: usize = 64;
/// Codes that are marked as such in a text.
const MOST_NUMBERS: usize = 4;

/// Whose tables a text is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Only(Channel),
    /// No channel is named: it may be any.
    Any,
    /// A channel without a table is named.
    None,
}

impl Asked {
    fn asks(self, channel: Channel) -> bool {
        match self {
            Self::Only(asked) => asked == channel,
            Self::Any => channel.is_known_by_text(),
            Self::None => false,
        }
    }
}

/// What the messages of an error say.
#[derive(Debug, Default)]
pub(super) struct Scan<'m> {
    /// The rule of a code or text of the channel's own.
    pub(super) own: Option<&'static Rule>,
    /// The same for what is met on every channel.
    pub(super) gateway: Option<&'static Rule>,
    pub(super) common: Option<&'static Rule>,
    pub(super) transport: Option<&'static Rule>,
    pub(super) errno: Option<&'static Rule>,
    mention: Option<(usize, &'static Rule)>,
    pub(super) room: bool,
    pub(super) receiver: bool,
    pub(super) content: bool,
    pub(super) status: Option<u16>,
    pub(super) delay: Option<f64>,
    /// Numbers that the texts mark as codes.
    pub(super) numbers: [Option<&'m str>; MOST_NUMBERS],
    pub(super) moved_to: Option<&'m str>,
    read: usize,
}

impl<'m> Scan<'m> {
    /// The first of the phrases that hold anywhere.
    pub(super) fn mention(&self) -> Option<&'static Rule> {
        self.mention.map(|(_, rule)| rule)
    }

    /// Reads one message.
    pub(super) fn message(&mut self, asked: Asked, message: &'m str) {
        let message = text::cut(message, MOST_TEXT.saturating_sub(self.read).min(text::LONGEST));
        self.read += message.len();
        let mut pass =
            Pass { scan: self, asked, message, spelled: None, text: None, begun: 0, code_before: None };
        pass.run();
        let own = pass.spelled.or(pass.text);
        self.own = self.own.or(own);
    }
}

/// Where the reading of one message is.
struct Pass<'s, 'm> {
    scan: &'s mut Scan<'m>,
    asked: Asked,
    message: &'m str,
    spelled: Option<&'static Rule>,
    text: Option<&'static Rule>,
    begun: usize,
    /// The end of the word "code", if it was the last one.
    code_before: Option<usize>,
}

impl<'m> Pass<'_, 'm> {
    fn run(&mut self) {
        let bytes = self.message.as_bytes();
        let markup = bytes.first() == Some(&b'<');
        let mut begins = true;
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if is_word(byte) {
                let end =
                    at + bytes[at..].iter().position(|byte| !is_word(*byte)).unwrap_or(bytes.len() - at);
                if begins {
                    self.begin(at);
                }
                self.word(at, end);
                // Behind the channel's own name stands what is wrong with it: "Telegram bot token missing".
                begins = at == 0
                    && Channel::named(&self.message[..end]).is_some_and(|channel| !channel.is_layer());
                at = end;
                continue;
            }
            if begins && !byte.is_ascii_whitespace() {
                // No text begins with what parts the fields of an object.
                match byte {
                    b'=' | b',' | b'{' | b'}' | b'.' => begins = false,
                    // An element begins with its name.
                    b'<' => {}
                    _ => {
                        self.begin(at);
                        begins = false;
                    }
                }
            }
            let next = |nth: usize| bytes.get(at + nth).copied().unwrap_or(b' ');
            let before = at.checked_sub(1).and_then(|before| bytes.get(before)).copied().unwrap_or_default();
            begins |= match byte {
                // A colon ends a prefix only before a space: an address or a time is one word. Behind a space it opens the
                // last parameter of IRC.
                b':' => next(1) == b' ' || before == b' ',
                b'-' => next(1) == b' ' && before == b' ',
                b'(' | b'[' | b']' | b')' | b'"' | b'!' | b'|' | b';' | b'\n' => true,
                b'>' => markup,
                _ => false,
            };
            at += 1;
        }
    }

    /// A place where a text may begin.
    fn begin(&mut self, at: usize) {
        if self.begun == MOST_BEGINNINGS {
            return;
        }
        self.begun += 1;
        let rest = &self.message.as_bytes()[at..];
        if self.scan.status.is_none() {
            self.scan.status = text::status(rest);
        }
        // The longest one of each layer; of two that are as long, the one of the table that comes first.
        let mut longest: [Option<(usize, &'static Rule)>; 4] = [None; 4];
        for filed in index().texts(rest) {
            let Says::Rule(channel, rule) = filed.says else { continue };
            let layers = [Channel::Gateway, Channel::Common, Channel::Transport];
            let layer = match layers.iter().position(|layer| *layer == channel) {
                Some(layer) => layer + 1,
                None if self.asked.asks(channel) => 0,
                None => continue,
            };
            let is_longer = longest[layer].is_none_or(|(known, _)| filed.key.len() > known);
            if is_longer && text::begins_with(rest, filed.key) {
                longest[layer] = Some((filed.key.len(), rule));
            }
        }
        let [own, gateway, common, transport] = longest.map(|found| found.map(|(_, rule)| rule));
        // What says why counts more than that it failed.
        if self.text.is_none_or(|known| known.class == BROKEN) {
            self.text = own.or(self.text);
        }
        // The tables of the layers are asked as if they were the channel's, where they are.
        self.scan.gateway = self.scan.gateway.or(gateway);
        self.scan.common = self.scan.common.or(common);
        // What says how far the request came counts more than that it failed.
        if self.scan.transport.is_none_or(|known| known.class == BROKEN) {
            self.scan.transport = transport.or(self.scan.transport);
        }
    }

    /// One word, and what may follow it.
    fn word(&mut self, at: usize, end: usize) {
        let bytes = self.message.as_bytes();
        let word = &bytes[at..end];
        let last_was_code = self.code_before.take();
        match word[0] {
            b'0'..=b'9' => self.number(at, end, last_was_code),
            b'r' | b'R' if begins(word, "retry") => {
                let tail = word.len().min(5);
                self.delay(at + tail);
            }
            b'a' | b'A' if word.eq_ignore_ascii_case(b"again") => self.delay(end),
            b'w' | b'W' if word.eq_ignore_ascii_case(b"wait") => self.delay(end),
            b'F' | b'S' => self.flood(word),
            b'I' if word == b"ID" => self.new_address(end),
            _ => {}
        }
        if word.len() >= 4 && word[word.len() - 4..].eq_ignore_ascii_case(b"code") {
            self.code_before = Some(end);
        }
        for filed in index().texts(&bytes[at..]) {
            match filed.says {
                Says::Rule(..) => {}
                Says::Mention(place, rule) => {
                    let is_earlier = self.scan.mention.is_none_or(|(known, _)| place < known);
                    if is_earlier && text::begins_with(&bytes[at..], filed.key) {
                        self.scan.mention = Some((place, rule));
                    }
                }
                Says::Hint(hint) if text::begins_with(&bytes[at..], filed.key) => match hint {
                    Hint::Room => self.scan.room = true,
                    Hint::Receiver => self.scan.receiver = true,
                    Hint::Content => self.scan.content = true,
                },
                Says::Hint(_) => {}
            }
        }
        self.code(at, end);
    }

    /// A word that cannot be one of a sentence.
    fn code(&mut self, at: usize, end: usize) {
        if end - at > LONGEST_WORD {
            return;
        }
        let word = &self.message[at..end];
        if !word.bytes().any(|byte| byte == b'_' || byte.is_ascii_uppercase()) && word.len() < 11 {
            return;
        }
        if !is_unmistakable(word) {
            return;
        }
        let asked = self.asked;
        self.spelled = self.spelled.or_else(|| index().by_word(|channel| asked.asks(channel), word));
        let transport = || index().by_word(|channel| channel == Channel::Transport, word);
        self.scan.errno = self.scan.errno.or_else(transport);
    }

    /// A number that is marked as a code: `[50007]`, `(#131030)`, `code 50007`, `code: 50007`, `code=50007`.
    fn number(&mut self, at: usize, end: usize, code_before: Option<usize>) {
        let bytes = self.message.as_bytes();
        let is_number = end - at <= LONGEST_NUMBER && bytes[at..end].iter().all(u8::is_ascii_digit);
        let marked = match (at.checked_sub(1).and_then(|before| bytes.get(before)), code_before) {
            (Some(b'[' | b'#'), _) => true,
            (_, Some(from)) => {
                from < at
                    && bytes[from..at].iter().all(|byte| matches!(byte, b' ' | b':' | b'=' | b'"' | b'\''))
            }
            (_, None) => false,
        };
        if is_number
            && marked
            && let Some(free) = self.scan.numbers.iter_mut().find(|kept| kept.is_none())
        {
            *free = Some(&self.message[at..end]);
        }
    }

    fn delay(&mut self, from: usize) {
        if self.scan.delay.is_none() {
            self.scan.delay = self.message.as_bytes().get(from..).and_then(text::delay);
        }
    }

    /// Telegram's own form of a delay: `FLOOD_WAIT_42`.
    fn flood(&mut self, word: &[u8]) {
        let seconds = [b"FLOOD_WAIT_".as_slice(), b"SLOWMODE_WAIT_", b"FLOOD_PREMIUM_WAIT_"]
            .into_iter()
            .find_map(|lead| str::from_utf8(word.strip_prefix(lead)?).ok()?.parse().ok());
        self.scan.delay = self.scan.delay.or(seconds);
    }

    /// "The group has been migrated to a supergroup with ID #-100123".
    fn new_address(&mut self, end: usize) {
        if self.message[..end].ends_with("migrated to a supergroup with ID")
            && let Some(id) = self.message[end..].strip_prefix(" #")
        {
            let id = id.split(char::is_whitespace).next().unwrap_or(id);
            self.scan.moved_to = self.scan.moved_to.or(Some(id));
        }
    }
}

/// Letters, digits, the line of a spelled code, and whatever is not ASCII.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

fn begins(word: &[u8], with: &str) -> bool {
    word.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with.as_bytes()))
}
