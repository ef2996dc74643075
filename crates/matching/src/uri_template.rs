//! Path templates as `/users/{id}/files/{path=**}` (Envoy's `uri_template` extensions): parsed,
//! and turned into regexes.

use crate::error::InvalidMatcher;
use crate::regex::{Regex, Substitution};

/// Characters of literals, and of what `*` stands for, as a class of a regex.
const LITERAL: &str = r"a-zA-Z0-9\-._~%!$&'()*+,;:@=";
/// How many variables a template has at most.
const MAX_VARIABLES: usize = 5;
/// How long a variable's name is at most.
const MAX_NAME: usize = 16;

/// A template of paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriTemplate {
    /// The regex, with a group for each variable.
    pattern: String,
    variables: Vec<String>,
}

/// A part of a template between slashes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Glob {
    /// `*`: some characters, no slash.
    Path,
    /// `**`: any characters.
    Text,
}

impl UriTemplate {
    /// Parses a template.
    ///
    /// # Errors
    /// What Envoy says of it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rest = match text.strip_prefix('/') {
            Some(rest) if text.bytes().all(|byte| byte.is_ascii_graphic()) => rest,
            _ => return Err(format!("Invalid pattern: \"{text}\"")),
        };
        let mut parser = Parser::default();
        parser.pattern.push('/');
        while !rest.is_empty() {
            rest = parser.segment(rest)?;
            match rest.strip_prefix('/') {
                Some(more) => {
                    parser.pattern.push('/');
                    rest = more;
                }
                None if rest.is_empty() => {}
                None => {
                    rest = parser.suffix(rest)?;
                    if !rest.is_empty() {
                        return Err("Prefix match not supported.".to_owned());
                    }
                }
            }
        }
        if let Some(error) = parser.after_text_glob {
            return Err(error.to_owned());
        }
        Ok(Self {
            pattern: parser.pattern,
            variables: parser.variables,
        })
    }

    /// What matches the paths that the template stands for: none where stars make it no regex.
    ///
    /// # Errors
    /// None is known.
    pub fn matcher(&self) -> Result<Regex, InvalidMatcher> {
        Regex::new(&self.pattern).or_else(|_| Regex::new("$a"))
    }

    /// What makes other paths of the paths that the template stands for; `None` where `rewrite`
    /// has a variable that the template has not, or is no rewrite at all: see
    /// [`is_rewrite`](Self::is_rewrite).
    pub fn rewrite(&self, rewrite: &str) -> Option<Result<Substitution, InvalidMatcher>> {
        let mut replacement = String::new();
        for piece in pieces(rewrite)? {
            match piece {
                Piece::Literal(text) => replacement.push_str(text),
                Piece::Variable(name) => {
                    let at = self.variables.iter().position(|known| known == name)?;
                    replacement.push('\\');
                    replacement.push_str(&(at + 1).to_string());
                }
            }
        }
        let whole = format!(r"\A(?:{})\z", self.pattern);
        Some(Substitution::new(&whole, &replacement))
    }

    /// Whether a text is a rewrite of some template.
    pub fn is_rewrite(text: &str) -> bool {
        pieces(text).is_some()
    }
}

#[derive(Default)]
struct Parser {
    pattern: String,
    variables: Vec<String>,
    has_text_glob: bool,
    /// The first thing that may not stand behind a `**`.
    after_text_glob: Option<&'static str>,
}

impl Parser {
    /// Parses one segment; what follows it.
    fn segment<'a>(&mut self, text: &'a str) -> Result<&'a str, String> {
        if text.starts_with('*') {
            return Ok(self.glob(text));
        }
        let end = text.find('/').unwrap_or(text.len());
        let Some(open) = text[..end].find('{') else {
            self.literal(&text[..end], "Invalid literal")?;
            return Ok(&text[end..]);
        };
        if open > 0 {
            self.literal(&text[..open], "Invalid literal")?;
        }
        let (inside, rest) = text[open + 1..].split_once('}').ok_or_else(|| {
            let kind = "Unmatched variable bracket in mixed pattern";
            format!("{kind}: \"{}\"", &text[open..])
        })?;
        self.variable(inside)?;
        if rest.is_empty() || rest.starts_with('/') {
            return Ok(rest);
        }
        self.suffix(rest)
    }

    fn suffix<'a>(&mut self, text: &'a str) -> Result<&'a str, String> {
        let end = text.find('/').unwrap_or(text.len());
        self.literal(&text[..end], "Invalid suffix literal")?;
        Ok(&text[end..])
    }

    fn literal(&mut self, text: &str, otherwise: &str) -> Result<(), String> {
        if text.is_empty() || !text.bytes().all(is_literal) {
            return Err(format!("{otherwise}: \"{text}\""));
        }
        for character in text.chars() {
            // Envoy leaves the star of a literal in its regex, where it repeats what is before it.
            if !character.is_ascii_alphanumeric() && character != '*' {
                self.pattern.push('\\');
            }
            self.pattern.push(character);
        }
        Ok(())
    }

    fn glob<'a>(&mut self, text: &'a str) -> &'a str {
        let (glob, rest) = match text.strip_prefix("**") {
            Some(rest) => (Glob::Text, rest),
            None => (Glob::Path, &text[1..]),
        };
        if self.has_text_glob {
            self.after_text_glob.get_or_insert("Glob after text glob.");
        }
        self.has_text_glob |= glob == Glob::Text;
        self.pattern.push_str(&class(glob));
        rest
    }

    /// Parses what stands in the braces of a variable: a name, or a name and what it matches.
    fn variable(&mut self, text: &str) -> Result<(), String> {
        let (name, matched) = match text.split_once('=') {
            Some((name, matched)) => (name, Some(matched)),
            None => (text, None),
        };
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(format!(
                "Invalid variable name length (length of \"{name}\" should be at least 1 and no \
                 more than {MAX_NAME})"
            ));
        }
        if !is_name(name) {
            return Err(format!("Invalid variable name: \"{name}\""));
        }
        if self.variables.iter().any(|known| known == name) {
            return Err(format!("Repeated variable name: \"{name}\""));
        }
        if self.variables.len() == MAX_VARIABLES {
            return Err(format!("Exceeded variable count limit ({MAX_VARIABLES})"));
        }
        self.variables.push(name.to_owned());
        self.pattern.push('(');
        match matched {
            None => {
                if self.has_text_glob {
                    let message = "Implicit variable path glob after text glob.";
                    self.after_text_glob.get_or_insert(message);
                }
                self.pattern.push_str(&class(Glob::Path));
            }
            Some("") => return Err("Empty variable match".to_owned()),
            Some(matched) => self.variable_match(matched)?,
        }
        self.pattern.push(')');
        Ok(())
    }

    fn variable_match(&mut self, text: &str) -> Result<(), String> {
        let mut rest = text;
        loop {
            if rest.starts_with('*') {
                rest = self.glob(rest);
            } else {
                let end = rest.find('/').unwrap_or(rest.len());
                self.literal(&rest[..end], "Invalid literal")?;
                rest = &rest[end..];
            }
            if rest.is_empty() {
                return Ok(());
            }
            rest = match rest.strip_prefix('/') {
                Some(more) if !more.is_empty() => more,
                _ => return Err(format!("Invalid variable match: \"{rest}\"")),
            };
            self.pattern.push('/');
        }
    }
}

fn class(glob: Glob) -> String {
    match glob {
        Glob::Path => format!("[{LITERAL}]+"),
        Glob::Text => format!("[{LITERAL}/]*"),
    }
}

fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;:@=".contains(&byte)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A part of a rewrite.
enum Piece<'a> {
    Literal(&'a str),
    Variable(&'a str),
}

/// The parts of a rewrite, if it is one.
fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let graphic = text.bytes().all(|byte| byte.is_ascii_graphic());
    if !text.starts_with('/') || !graphic || text.contains("//") {
        return None;
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (literal, after) = match rest.split_once('{') {
            Some((literal, after)) => (literal, Some(after)),
            None => (rest, None),
        };
        if !literal.bytes().all(|byte| byte == b'/' || is_literal(byte)) {
            return None;
        }
        pieces.push(Piece::Literal(literal));
        rest = match after {
            None => "",
            Some(after) => {
                let (name, more) = after.split_once('}')?;
                if name.len() > MAX_NAME || !is_name(name) {
                    return None;
                }
                pieces.push(Piece::Variable(name));
                more
            }
        };
    }
    Some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_match_whole_paths() {
        for (template, path, matches) in [
            ("/", "/", true),
            ("/a/{b}", "/a/x", true),
            ("/a/{b}", "/a/x/y", false),
            ("/a/{b}", "/a/", false),
            ("/a/*/c", "/a/x/c", true),
            ("/a/**", "/a/", true),
            ("/a/**", "/a/x/y", true),
            ("/**.m3u8", "/x/y.m3u8", true),
            ("/**.m3u8", "/x/y-m3u8", false),
            ("/{a=x/*}/z", "/x/y/z", true),
            ("/{a=x/*}/z", "/y/y/z", false),
            ("/v{n}.json/x", "/v12.json/x", true),
            ("/a*b", "/aab", true),
            ("/a*b", "/a*b", false),
            ("/a**", "/a", false),
            ("/a/", "/a/", true),
            ("/a/", "/a", false),
        ] {
            let regex = UriTemplate::parse(template).unwrap().matcher().unwrap();
            let found = regex.is_full_match(path.as_bytes());
            assert_eq!(found, matches, "{template} {path}");
        }
    }

    #[test]
    fn rewrites_put_variables_elsewhere() {
        let template = UriTemplate::parse("/api/{version}/{rest=**}").unwrap();
        let rewrite = template.rewrite("/{rest}/of-{version}.x").unwrap().unwrap();
        let mut out = Vec::new();
        rewrite.replace_all(b"/api/v1/a/b", &mut out);
        assert_eq!(out, b"/a/b/of-v1.x");
        assert!(template.rewrite("/{other}").is_none());
        for wrong in ["a", "/a//b", "/{a", "/{1}", "/a b", "/a?b"] {
            assert!(!UriTemplate::is_rewrite(wrong), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_template() {
        for (template, error) in [
            ("a", "Invalid pattern: \"a\""),
            (
                "/a/{b",
                "Unmatched variable bracket in mixed pattern: \"{b\"",
            ),
            ("/{a}/{a}", "Repeated variable name: \"a\""),
            ("/{a}{b}", "Invalid suffix literal: \"{b}\""),
            ("/*a/b", "Prefix match not supported."),
            ("/{a=*b}", "Invalid variable match: \"b\""),
            ("/{a=b/}", "Invalid variable match: \"/\""),
            ("/{a=/b}", "Invalid literal: \"\""),
            ("//a", "Invalid literal: \"\""),
            ("/a?b", "Invalid literal: \"a?b\""),
            ("/{a=}", "Empty variable match"),
            ("/{1a}", "Invalid variable name: \"1a\""),
            ("/**/**", "Glob after text glob."),
            ("/**/{a}", "Implicit variable path glob after text glob."),
            (
                "/{a}/{b}/{c}/{d}/{e}/{f}",
                "Exceeded variable count limit (5)",
            ),
        ] {
            assert_eq!(UriTemplate::parse(template).unwrap_err(), error);
        }
    }
}
