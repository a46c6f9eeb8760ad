//! Keys under which a request is done once, however often it is sent.

use time::Duration;

/// How long an answer is kept, from when its request came.
pub const KEPT_FOR: Duration = Duration::hours(24);

/// The longest key, in characters.
const MAX_LENGTH: usize = 255;

/// A client's name for one request, which no other request of the client's has.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key that a header spells, bare or between quotes. None for what has not 1 to 255 visible ASCII characters.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let bare = text.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(text);
        let is_well_formed = (1..=MAX_LENGTH).contains(&bare.len()) && bare.iter().all(u8::is_ascii_graphic);
        is_well_formed.then(|| String::from_utf8(bare.to_vec()).ok().map(Self)).flatten()
    }

    /// Its characters. They open what is kept under it, and so belong into no log.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An answer, as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The status.
    pub status: u16,
    /// The headers that belong to what was done, each with its name. Neither has a line break.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl KeptAnswer {
    /// Whether an answer of this status is kept. One that was refused before anything was looked at, and one that
    /// says nothing for certain, is not: the same request may fare better.
    pub fn is_kept(status: u16) -> bool {
        !matches!(status, 400 | 401 | 403 | 405 | 413 | 415 | 422 | 429 | 500..)
    }

    /// Whether it says that what was asked is done.
    pub fn is_done(status: u16) -> bool {
        status < 400
    }

    /// Headers and body as they are sealed: a line for each header, an empty one, the body.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.body.len() + 256);
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\n").as_bytes());
        }
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The answer that was sealed. None when it is none.
    pub fn from_bytes(status: u16, bytes: &[u8]) -> Option<Self> {
        let mut headers = Vec::new();
        let mut rest = bytes;
        loop {
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let (line, after) = (std::str::from_utf8(&rest[..end]).ok()?, &rest[end + 1..]);
            if line.is_empty() {
                return Some(Self { status, headers, body: after.to_vec() });
            }
            let (name, value) = line.split_once(": ")?;
            headers.push((name.to_owned(), value.to_owned()));
            rest = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_bare_and_between_quotes() {
        let key = |text: &str| IdempotencyKey::parse(text.as_bytes()).map(|key| key.as_str().to_owned());
        assert_eq!(key("abc"), Some("abc".to_owned()));
        assert_eq!(key("\"abc\""), key("abc"));
        assert_eq!(key(" abc "), key("abc"));
        assert_eq!(key(&"~".repeat(255)), Some("~".repeat(255)));
        assert_eq!(key(&format!("\"{}\"", "~".repeat(255))), Some("~".repeat(255)));
        for none in ["", "\"\"", "a b", "a\tb", "\u{e4}", "a\0", &"~".repeat(256)] {
            assert_eq!(key(none), None, "{none:?}");
        }
    }

    #[test]
    fn what_is_kept_comes_back_as_it_was() {
        let answer = KeptAnswer {
            status: 200,
            headers: vec![("ETag".to_owned(), "\"1\"".to_owned()), ("Location".to_owned(), "http://x: y".to_owned())],
            body: b"\n\n{\"a\": 1}\n\xff".to_vec(),
        };
        assert!(KeptAnswer::from_bytes(200, &answer.to_bytes()) == Some(answer));
        let empty = KeptAnswer { status: 204, headers: Vec::new(), body: Vec::new() };
        assert!(KeptAnswer::from_bytes(204, &empty.to_bytes()) == Some(empty));
        assert!(KeptAnswer::from_bytes(200, b"").is_none() && KeptAnswer::from_bytes(200, b"no header\n\n").is_none());
    }

    #[test]
    fn what_was_refused_at_the_door_or_is_uncertain_is_not_kept() {
        let kept: Vec<u16> = (200..600).filter(|status| KeptAnswer::is_kept(*status)).collect();
        for status in [200, 201, 202, 204, 404, 409, 412] {
            assert!(kept.contains(&status), "{status}");
        }
        for status in [400, 401, 403, 405, 413, 415, 422, 429, 500, 503] {
            assert!(!kept.contains(&status), "{status}");
        }
    }
}
