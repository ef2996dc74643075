//! The grammar of Envoy's command line, which is TCLAP's: what matches a flag, what is its value,
//! and which words an error is told in.

use super::flags::{FLAGS, Flag, Takes};

/// A word that cannot be taken.
#[derive(Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The word, or the flag as TCLAP writes it: `-l (--log-level)`.
    pub argument: String,
    /// What is wrong.
    pub text: String,
}

/// What the words say.
#[derive(Debug)]
pub enum Words {
    /// Flags and values, to be checked.
    Given(Given),
    /// `--help`
    Help,
    /// `--version`
    Version,
}

/// The flags that were given, with their values.
#[derive(Debug, Default)]
pub struct Given(Vec<(&'static str, String)>);

impl Given {
    /// Whether the switch or value was given.
    pub fn has(&self, long: &str) -> bool {
        self.0.iter().any(|(name, _)| *name == long)
    }

    /// The value of a flag that takes a text; none where it wasn't given.
    pub fn text(&self, long: &str) -> Option<&str> {
        let given = self.0.iter().find(|(name, _)| *name == long);
        given.map(|(_, value)| value.as_str())
    }

    /// The values of a flag that may be given many times.
    pub fn texts<'a>(&'a self, long: &'a str) -> impl Iterator<Item = &'a str> {
        let given = self.0.iter().filter(move |(name, _)| *name == long);
        given.map(|(_, value)| value.as_str())
    }

    /// The value of a flag that takes a number; none where it is absent or empty.
    pub fn number(&self, long: &str) -> Option<u32> {
        self.text(long).and_then(|text| read_number(text).ok()?)
    }
}

/// Reads the words after the program's name. As in TCLAP, the first `--help` or `--version` ends
/// it, so a mistake after it goes unseen and one before it does not.
pub fn read(words: &[String]) -> Result<Words, ParseError> {
    let mut given = Given::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (name, inline) = split_value(word);
        // A switch is compared with the whole word, a flag with a value up to the first space.
        let flag = FLAGS.iter().find(|flag| match flag.takes {
            Takes::Nothing => matches(flag, word),
            _ => matches(flag, name),
        });
        match flag {
            Some(flag) if flag.long == "help" => return Ok(Words::Help),
            Some(flag) if flag.long == "version" => return Ok(Words::Version),
            Some(flag) if flag.long == "ignore_rest" => break,
            Some(flag) => {
                if flag.takes != Takes::Texts && given.has(flag.long) {
                    return Err(flag_error(flag, "Argument already set!".into()));
                }
                let value = match (flag.takes, inline) {
                    (Takes::Nothing, _) => String::new(),
                    (_, Some(value)) => value.to_owned(),
                    (_, None) => words.next().cloned().ok_or_else(|| {
                        flag_error(flag, "Missing a value for this argument!".into())
                    })?,
                };
                if flag.takes == Takes::Number {
                    read_number(&value).map_err(|text| flag_error(flag, text))?;
                }
                given.0.push((flag.long, value));
            }
            None if asks_for_help(word) => return Ok(Words::Help),
            None if matches!(word.as_str(), "" | "-") => {}
            None => {
                return Err(ParseError {
                    argument: word.clone(),
                    text: "Couldn't find match for argument".into(),
                });
            }
        }
    }
    Ok(Words::Given(given))
}

/// `--flag value` in one word: the delimiter is a space, and never within the first two bytes.
fn split_value(word: &str) -> (&str, Option<&str>) {
    match word.split_once(' ') {
        Some((name, value)) if name.len() > 1 => (name, Some(value).filter(|v| !v.is_empty())),
        _ => (word, None),
    }
}

fn matches(flag: &Flag, name: &str) -> bool {
    if let Some(long) = name.strip_prefix("--") {
        return long == flag.long || (long.is_empty() && flag.short == Some('-'));
    }
    let mut letters = name.strip_prefix('-').unwrap_or_default().chars();
    letters.next() == flag.short && flag.short.is_some() && letters.next().is_none()
}

/// A word of several switch letters, of which only `h` exists: `-xh` asks for help.
fn asks_for_help(word: &str) -> bool {
    word.starts_with('-') && !word.starts_with("--") && !word.contains(' ') && word.contains('h')
}

fn flag_error(flag: &Flag, text: String) -> ParseError {
    let argument = match flag.short {
        Some(letter) => format!("-{letter} (--{})", flag.long),
        None => format!("(--{})", flag.long),
    };
    ParseError { argument, text }
}

/// Reads a number as a C++ stream does: space before it, a sign (a negative number wraps round),
/// and no more than one. An empty text leaves the default.
fn read_number(text: &str) -> Result<Option<u32>, String> {
    let mut numbers = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = next_number(rest)
            .ok_or_else(|| format!("Couldn't read argument value from string '{text}'"))?;
        numbers.push(number);
        rest = after;
    }
    match numbers[..] {
        [] => Ok(None),
        [number] => Ok(Some(number)),
        _ => Err(format!(
            "More than one valid value parsed from string '{text}'"
        )),
    }
}

fn next_number(text: &str) -> Option<(u32, &str)> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let end = unsigned
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(unsigned.len());
    let number: u32 = unsigned[..end].parse().ok()?;
    let number = if text.starts_with('-') {
        number.wrapping_neg()
    } else {
        number
    };
    Some((number, &unsigned[end..]))
}
