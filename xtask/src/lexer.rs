//! Just enough of Rust's lexical grammar to tell code from comments and literals.

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An identifier or keyword; raw ones without their `r#`.
    Word,
    /// One character of punctuation.
    Mark,
    /// A string, character or number.
    Literal,
    /// `'a`.
    Lifetime,
    /// A comment, with its slashes.
    Comment,
}

/// A token and where it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its text.
    pub text: &'a str,
    /// The line it begins on, from 1.
    pub line: usize,
}

/// The tokens of a file. Text that isn't Rust yields tokens too, just not useful ones.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer {
        text,
        at: 0,
        line: 1,
    };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next_token() {
        tokens.push(token);
    }
    tokens
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Lexer<'a> {
    fn next_token(&mut self) -> Option<Token<'a>> {
        let rest = &self.text[self.at..];
        let blank = rest.len() - rest.trim_start().len();
        self.line += count_lines(&rest[..blank]);
        self.at += blank;
        let rest = &rest[blank..];
        let first = rest.chars().next()?;
        let (kind, length) = comment(rest)
            .or_else(|| string(rest))
            .or_else(|| quoted(rest))
            .or_else(|| word(rest))
            .or_else(|| number(rest))
            .unwrap_or((Kind::Mark, first.len_utf8()));
        let text = &rest[..length];
        let line = self.line;
        self.line += count_lines(text);
        self.at += length;
        let text = text
            .strip_prefix("r#")
            .filter(|_| kind == Kind::Word)
            .unwrap_or(text);
        Some(Token { kind, text, line })
    }
}

fn count_lines(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n').count()
}

fn comment(rest: &str) -> Option<(Kind, usize)> {
    if rest.starts_with("//") {
        return Some((Kind::Comment, rest.find('\n').unwrap_or(rest.len())));
    }
    if !rest.starts_with("/*") {
        return None;
    }
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    Some((Kind::Comment, at))
}

/// `"…"`, `b"…"`, `c"…"`, `r"…"`, `br#"…"#` and so on.
fn string(rest: &str) -> Option<(Kind, usize)> {
    let prefix = rest.find(|c: char| !c.is_ascii_alphabetic())?;
    if !matches!(&rest[..prefix], "" | "b" | "c" | "r" | "br" | "cr") {
        return None;
    }
    let raw = rest[..prefix].ends_with('r');
    let hashes = rest[prefix..]
        .bytes()
        .take_while(|&byte| byte == b'#')
        .count();
    let open = prefix + hashes;
    if !rest[open..].starts_with('"') || (hashes > 0 && !raw) {
        return None;
    }
    let body = &rest[open + 1..];
    let end = if raw {
        let close = format!("\"{}", "#".repeat(hashes));
        body.find(&close).map(|at| at + close.len())
    } else {
        closing(body, b'"').map(|at| at + 1)
    };
    Some((Kind::Literal, open + 1 + end.unwrap_or(body.len())))
}

/// A character, a byte, or a lifetime.
fn quoted(rest: &str) -> Option<(Kind, usize)> {
    let prefix = usize::from(rest.starts_with("b'"));
    let body = rest[prefix..].strip_prefix('\'')?;
    let mut chars = body.chars();
    let first = chars.next()?;
    if first != '\\' && chars.next() != Some('\'') {
        let name = body.find(|c: char| !is_word(c)).unwrap_or(body.len());
        return Some((Kind::Lifetime, prefix + 1 + name));
    }
    let end = closing(body, b'\'').map_or(body.len(), |at| at + 1);
    Some((Kind::Literal, prefix + 1 + end))
}

/// Where an unescaped `quote` stands.
fn closing(body: &str, quote: u8) -> Option<usize> {
    let mut escaped = false;
    body.bytes().position(|byte| {
        let found = byte == quote && !escaped;
        escaped = byte == b'\\' && !escaped;
        found
    })
}

fn word(rest: &str) -> Option<(Kind, usize)> {
    let raw = if rest.starts_with("r#") { 2 } else { 0 };
    let name = &rest[raw..];
    if !name.starts_with(|c: char| is_word(c) && !c.is_ascii_digit()) {
        return None;
    }
    let length = name.find(|c| !is_word(c)).unwrap_or(name.len());
    Some((Kind::Word, raw + length))
}

fn number(rest: &str) -> Option<(Kind, usize)> {
    if !rest.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    Some((Kind::Literal, length))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[(Kind, &str)]) {
        let got = tokens(text);
        let got: Vec<(Kind, &str)> = got.iter().map(|token| (token.kind, token.text)).collect();
        assert_eq!(got, expect, "{text}");
    }

    #[test]
    fn code_comments_and_literals_are_told_apart() {
        use Kind::{Comment, Lifetime, Literal, Mark, Word};
        check("a.b", &[(Word, "a"), (Mark, "."), (Word, "b")]);
        check("// x\ny", &[(Comment, "// x"), (Word, "y")]);
        check(
            "/* a /* b */ c */d",
            &[(Comment, "/* a /* b */ c */"), (Word, "d")],
        );
        check("/* open", &[(Comment, "/* open")]);
        check(
            r#""a \" // b" c"#,
            &[(Literal, r#""a \" // b""#), (Word, "c")],
        );
        check(
            r###"r#"a " b"# c"###,
            &[(Literal, r###"r#"a " b"#"###), (Word, "c")],
        );
        check(
            r#"b"\\" c"x""#,
            &[(Literal, r#"b"\\""#), (Literal, r#"c"x""#)],
        );
        check("r\"\\\" x", &[(Literal, "r\"\\\""), (Word, "x")]);
        check("r#fn bar", &[(Word, "fn"), (Word, "bar")]);
        check("&'a b", &[(Mark, "&"), (Lifetime, "'a"), (Word, "b")]);
        check(
            "'x' '\\'' b'\\\\' '\u{e9}'",
            &[
                (Literal, "'x'"),
                (Literal, "'\\''"),
                (Literal, "b'\\\\'"),
                (Literal, "'\u{e9}'"),
            ],
        );
        check(
            "0xff_u8..1",
            &[
                (Literal, "0xff_u8"),
                (Mark, "."),
                (Mark, "."),
                (Literal, "1"),
            ],
        );
        check("\"open", &[(Literal, "\"open")]);
        check("'", &[(Mark, "'")]);
    }

    #[test]
    fn lines_are_counted_through_what_spans_several() {
        let lines: Vec<usize> = tokens("a\n\"b\nc\" /*\n*/ d\n\ne")
            .iter()
            .map(|t| t.line)
            .collect();
        assert_eq!(lines, [1, 2, 3, 4, 6]);
    }
}
