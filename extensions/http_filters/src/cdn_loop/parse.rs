//! The `cdn-loop` header (RFC 8586 section 2): a list of identifiers with parameters.

/// The header is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHeader;

/// How often an identifier is named.
///
/// # Errors
/// Where the header is none.
pub fn count(header: &[u8], id: &[u8]) -> Result<u32, InvalidHeader> {
    let mut cursor = Cursor(header);
    let mut count = 0;
    loop {
        cursor.skip_space();
        // Elements of a list may be empty.
        if !matches!(cursor.0.first(), None | Some(b',')) {
            count += u32::from(cursor.cdn_id().ok_or(InvalidHeader)? == id);
            cursor.parameters().ok_or(InvalidHeader)?;
        }
        match cursor.0 {
            [] => return Ok(count),
            [b',', rest @ ..] => cursor.0 = rest,
            _ => return Err(InvalidHeader),
        }
    }
}

/// Whether this is an identifier, all of it: a host, by name or address, or a pseudonym.
pub fn is_cdn_id(text: &[u8]) -> bool {
    let mut cursor = Cursor(text);
    cursor.cdn_id().is_some() && cursor.0.is_empty()
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take_while(&mut self, holds: impl Fn(&u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|byte| !holds(byte));
        let (taken, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        taken
    }

    fn skip_space(&mut self) {
        self.take_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    fn skip(&mut self, byte: u8) -> bool {
        let rest = self.0.strip_prefix(&[byte]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn token(&mut self) -> Option<&'a [u8]> {
        let token = self.take_while(is_token);
        (!token.is_empty()).then_some(token)
    }

    /// A host with or without a port, or a pseudonym.
    fn cdn_id(&mut self) -> Option<&'a [u8]> {
        let whole = self.0;
        if self.skip(b'[') {
            let inside = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
            self.take_while(inside);
            if !self.skip(b']') {
                return None;
            }
        } else {
            self.token()?;
        }
        if self.skip(b':') {
            self.take_while(u8::is_ascii_digit);
        }
        Some(&whole[..whole.len() - self.0.len()])
    }

    /// `; name=value`, any number of them, and the space behind.
    fn parameters(&mut self) -> Option<()> {
        loop {
            self.skip_space();
            if !self.skip(b';') {
                return Some(());
            }
            self.skip_space();
            self.token()?;
            if !self.skip(b'=') {
                return None;
            }
            match self.skip(b'"') {
                true => self.quoted_end()?,
                false => {
                    self.token()?;
                }
            }
        }
    }

    fn quoted_end(&mut self) -> Option<()> {
        loop {
            match self.0 {
                [b'"', rest @ ..] => {
                    self.0 = rest;
                    return Some(());
                }
                [b'\\', b'\t' | b' '..=b'~' | 0x80.., rest @ ..]
                | [b'\t' | b' '..=b'[' | b']'..=b'~' | 0x80.., rest @ ..] => self.0 = rest,
                _ => return None,
            }
        }
    }
}

fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}
