//! Parses YAML to a tree, reading plain scalars as Envoy's YAML library does.
//!
//! Only the first document counts. Anchors and aliases hold, a key tagged `!ignore` is left out
//! with its value (a place for anchors), `<<` is a key like any other. A scalar is, in this order:
//! null, a bool, an integer (decimal, hex or octal as C writes them), a string; fractions stay
//! strings, which is what Envoy makes of them in a `Struct` too.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::{MAX_DEPTH, Mark, NodeId, NodeKind, Span, SyntaxError, Tree};

/// Parses `text`.
pub fn parse(text: &str) -> Result<Tree, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder {
        tree: Tree::new(String::with_capacity(text.len())),
        open: Vec::new(),
        anchors: HashMap::new(),
    };
    let mut events = Parser::new_from_str(text);
    while let Some(event) = events.next_event() {
        let (event, span) = event.map_err(|error| SyntaxError {
            mark: mark_of(error.marker()),
            message: error.info().to_owned(),
        })?;
        let mark = mark_of(&span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                builder.scalar(&text, style, anchor, tag.as_deref(), mark)?;
            }
            Event::Alias(anchor) => builder.alias(anchor, mark)?,
            Event::SequenceStart(anchor, _) => builder.begin(NodeKind::List, anchor, mark)?,
            Event::MappingStart(anchor, _) => builder.begin(NodeKind::Map, anchor, mark)?,
            Event::SequenceEnd | Event::MappingEnd => builder.end(),
            Event::DocumentEnd => break,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {}
        }
    }
    Ok(builder.tree)
}

fn mark_of(marker: &saphyr_parser::Marker) -> Mark {
    Mark {
        line: marker.line() as u32,
        column: marker.col() as u32 + 1,
    }
}

/// A list or mapping that is not closed yet.
struct Open {
    id: NodeId,
    map: bool,
    anchor: usize,
    /// The key whose value comes next.
    key: Option<(Span, Mark)>,
    /// Whether that key is tagged `!ignore`.
    ignore: bool,
}

struct Builder {
    tree: Tree,
    open: Vec<Open>,
    anchors: HashMap<usize, NodeId>,
}

impl Builder {
    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        mark: Mark,
    ) -> Result<(), SyntaxError> {
        if let Some(open) = self.open.last_mut()
            && open.map
            && open.key.is_none()
        {
            open.ignore = tag.is_some_and(|tag| tag.handle == "!" && tag.suffix == "ignore");
            let key = match scalar_kind(text, style) {
                (NodeKind::Null, _) => "null",
                _ => text,
            };
            open.key = Some((self.tree.add_text(key), mark));
            return Ok(());
        }
        let (kind, number) = scalar_kind(text, style);
        let text = self.tree.add_text(number.as_deref().unwrap_or(text));
        let id = self.add(kind, text, mark);
        self.anchor(anchor, id);
        self.placed();
        Ok(())
    }

    fn alias(&mut self, anchor: usize, mark: Mark) -> Result<(), SyntaxError> {
        self.refuse_complex_key(mark)?;
        let Some(&target) = self.anchors.get(&anchor) else {
            let message = "an alias inside the node it stands for".to_owned();
            return Err(SyntaxError { mark, message });
        };
        self.add(NodeKind::Alias(target), Span::default(), mark);
        self.placed();
        Ok(())
    }

    fn begin(&mut self, kind: NodeKind, anchor: usize, mark: Mark) -> Result<(), SyntaxError> {
        self.refuse_complex_key(mark)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(SyntaxError {
                mark,
                message: "too deeply nested".to_owned(),
            });
        }
        let id = self.add(kind, Span::default(), mark);
        let map = kind == NodeKind::Map;
        self.open.push(Open {
            id,
            map,
            anchor,
            key: None,
            ignore: false,
        });
        Ok(())
    }

    fn end(&mut self) {
        let Some(open) = self.open.pop() else { return };
        self.tree.close(open.id);
        if open.map {
            self.hide_duplicates(open.id);
        }
        self.anchor(open.anchor, open.id);
        self.placed();
    }

    /// Of keys that stand twice in a mapping the last one counts.
    fn hide_duplicates(&mut self, map: NodeId) {
        let mut last: HashMap<&str, NodeId> = HashMap::new();
        let mut doubled = Vec::new();
        for child in self.tree.children(map) {
            doubled.extend(last.insert(self.tree.key(child), child));
        }
        for child in doubled {
            self.tree.hide(child);
            self.tree.duplicates.push(child);
        }
    }

    fn add(&mut self, kind: NodeKind, text: Span, mark: Mark) -> NodeId {
        let open = self.open.last();
        let key = open.and_then(|open| open.key);
        // What stands under an `!ignore` key is kept, hidden: aliases may point into it.
        let hidden = open.is_some_and(|open| open.ignore);
        let id = self.tree.add(kind, text, mark, key);
        if hidden {
            self.tree.hide(id);
        }
        id
    }

    fn anchor(&mut self, anchor: usize, id: NodeId) {
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
    }

    /// A value is complete: the next thing in its mapping is a key.
    fn placed(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.key = None;
            open.ignore = false;
        }
    }

    fn refuse_complex_key(&self, mark: Mark) -> Result<(), SyntaxError> {
        match self.open.last() {
            Some(open) if open.map && open.key.is_none() => Err(SyntaxError {
                mark,
                message: "a key must be a scalar: bad conversion".into(),
            }),
            _ => Ok(()),
        }
    }
}

/// What a scalar is, and its text as a JSON number where that differs.
fn scalar_kind(text: &str, style: ScalarStyle) -> (NodeKind, Option<String>) {
    if style != ScalarStyle::Plain {
        return (NodeKind::String, None);
    }
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return (NodeKind::Null, None);
    }
    if let Some(value) = bool_of(text) {
        return (NodeKind::Bool(value), None);
    }
    match integer(text) {
        // Larger ones go as strings, since a JSON number may be read as a double.
        Some(value) if i32::try_from(value).is_ok() => (NodeKind::Number, Some(value.to_string())),
        Some(value) => (NodeKind::String, Some(value.to_string())),
        None => (NodeKind::String, None),
    }
}

/// YAML 1.1's bools: all lower case, all upper case, or only the first letter upper case.
fn bool_of(text: &str) -> Option<bool> {
    let mut letters = text.chars();
    let first_upper = letters.next()?.is_ascii_uppercase();
    let rest = letters.as_str();
    let lower = rest.chars().all(|c| c.is_ascii_lowercase());
    let upper = rest.chars().all(|c| c.is_ascii_uppercase());
    if !(lower || upper && first_upper) {
        return None;
    }
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "true" | "on" => Some(true),
        "n" | "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// An integer as C++ streams read it: a sign, then 0x and hex, 0 and octal, or decimal digits.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}
