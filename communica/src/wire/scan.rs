//! JSON text in, positions of its parts out: validates without building a tree, and never recurses.

use super::WireError;

/// Deeper metadata is refused; the wire needs one level.
const MAX_DEPTH: u32 = 64;

/// A string inside the text: where its characters are, without the quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) start: u32,
    pub(super) end: u32,
    /// Has backslashes, so the characters are not the value.
    pub(super) escaped: bool,
}

pub(super) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

/// Whether this JSON is nested too deeply to be a member of an object in metadata.
pub(crate) fn is_too_deep(json: &str) -> bool {
    Scanner::new(format!("[{json}]").as_bytes()).skip_value().is_err()
}

/// Whether a byte stands for itself in a string: all but the quote, the backslash and control characters (RFC 8259, 7).
static IS_PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut control = 0;
    while control < 0x20 {
        plain[control] = false;
        control += 1;
    }
    plain[b'"' as usize] = false;
    plain[b'\\' as usize] = false;
    plain
};

/// How many bytes at the start of `text` stand for themselves in a string.
pub(super) fn plain_len(text: &[u8]) -> usize {
    text.iter().position(|&byte| !IS_PLAIN[usize::from(byte)]).unwrap_or(text.len())
}

type Result<T> = std::result::Result<T, WireError>;

fn bad<T>(why: &'static str) -> Result<T> {
    Err(WireError::BadMetadata(why))
}

impl<'a> Scanner<'a> {
    /// `text` must be UTF-8 (the caller checked) and shorter than 4 GiB.
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Where the last value ended.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Where the next value begins.
    pub(super) fn value_start(&mut self) -> usize {
        self.peek();
        self.at
    }

    /// The next byte that is not white space, left in place.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    /// Takes `byte` if it comes next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Nothing but white space may follow.
    pub(super) fn end(&mut self) -> Result<()> {
        if self.peek().is_some() { bad("something follows the JSON object") } else { Ok(()) }
    }

    /// A string, escapes checked but not resolved.
    pub(super) fn string(&mut self) -> Result<Text> {
        if !self.eat(b'"') {
            return bad("a string was expected");
        }
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_len(&self.text[self.at..]);
            match self.text.get(self.at) {
                None => return bad("a string does not end"),
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return bad("a control character stands in a string"),
            }
        }
        let text = Text { start: start as u32, end: self.at as u32, escaped };
        self.at += 1;
        Ok(text)
    }

    fn escape(&mut self) -> Result<()> {
        match self.text.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => match self.text.get(self.at + 2..self.at + 6) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => self.at += 6,
                _ => return bad("\\u is not followed by four hex digits"),
            },
            _ => return bad("an unknown escape stands in a string"),
        }
        Ok(())
    }

    /// A number that is an integer and fits.
    pub(super) fn integer(&mut self) -> Result<i64> {
        self.peek();
        let start = self.at;
        self.number()?;
        std::str::from_utf8(&self.text[start..self.at])
            .ok()
            .and_then(|digits| digits.parse().ok())
            .map_or_else(|| bad("an integer was expected"), Ok)
    }

    fn number(&mut self) -> Result<()> {
        self.at += usize::from(self.text.get(self.at) == Some(&b'-'));
        let leading_zero = self.text.get(self.at) == Some(&b'0');
        let digits = self.digits()?;
        if leading_zero && digits > 1 {
            return bad("a number starts with 0");
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(self.text.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<usize> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == start { bad("a digit was expected") } else { Ok(self.at - start) }
    }

    /// Any value, skipped. One bit per open bracket says which kind it is.
    pub(super) fn skip_value(&mut self) -> Result<()> {
        let (mut depth, mut objects) = (0u32, 0u64);
        loop {
            let opened = match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if depth == MAX_DEPTH {
                        return bad("it is nested too deeply");
                    }
                    self.at += 1;
                    depth += 1;
                    objects = objects << 1 | u64::from(open == b'{');
                    true
                }
                _ => {
                    self.scalar()?;
                    false
                }
            };
            if self.close_or_continue(opened, &mut depth, &mut objects)? {
                return Ok(());
            }
        }
    }

    /// After an opening bracket or a value: closes what ends here. True when the outermost value is complete,
    /// false when another value comes next (its key, if it has one, is taken).
    fn close_or_continue(&mut self, mut opened: bool, depth: &mut u32, objects: &mut u64) -> Result<bool> {
        while *depth > 0 {
            let in_object = *objects & 1 == 1;
            if self.eat(if in_object { b'}' } else { b']' }) {
                *depth -= 1;
                *objects >>= 1;
                opened = false;
                continue;
            }
            if !opened && !self.eat(b',') {
                return bad("a comma or a closing bracket was expected");
            }
            if in_object {
                self.string()?;
                if !self.eat(b':') {
                    return bad("a colon was expected");
                }
            }
            return Ok(false);
        }
        Ok(true)
    }

    fn scalar(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                for word in [&b"true"[..], b"false", b"null"] {
                    if self.text[self.at..].starts_with(word) {
                        self.at += word.len();
                        return Ok(());
                    }
                }
                bad("a value was expected")
            }
        }
    }
}
