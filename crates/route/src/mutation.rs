//! Changes to headers that a route, a virtual host, a table or a weighted cluster prescribes.

use crate::error::InvalidRoute;
use nuncio_base::header_map::HeaderMap;
use nuncio_base::header_name::{HeaderName, MessageKind, names};
use nuncio_observe::Formatter;
use std::sync::Arc;

/// The value of a header that config adds.
#[derive(Clone, Debug)]
pub enum HeaderValue {
    /// These bytes.
    Literal(Box<[u8]>),
    /// What a substitution format makes of the stream.
    Format(Arc<Formatter>),
}

impl From<Formatter> for HeaderValue {
    fn from(format: Formatter) -> Self {
        match format.constant() {
            Some(text) => Self::Literal(text.into()),
            None => Self::Format(Arc::new(format)),
        }
    }
}

/// What happens where the header exists already
/// (`envoy.config.core.v3.HeaderValueOption.HeaderAppendAction`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AppendAction {
    /// The value is added to those that are there.
    #[default]
    AppendIfExistsOrAdd,
    /// The value is added only where there is none.
    AddIfAbsent,
    /// The value takes the place of those that are there, or is added.
    OverwriteIfExistsOrAdd,
    /// The value takes the place of those that are there; else nothing happens.
    OverwriteIfExists,
}

/// A header to add.
#[derive(Clone, Debug)]
pub struct HeaderToAdd {
    /// The name.
    pub name: HeaderName,
    /// The value.
    pub value: HeaderValue,
    /// What happens where the header exists already.
    pub action: AppendAction,
    /// Whether an empty value is added too.
    pub keep_empty_value: bool,
}

impl HeaderToAdd {
    /// A header to add.
    ///
    /// # Errors
    /// A pseudo-header or `host`: those have rewrites of their own.
    pub fn new(
        name: &str,
        value: HeaderValue,
        action: AppendAction,
        keep_empty_value: bool,
    ) -> Result<Self, InvalidRoute> {
        Ok(Self {
            name: checked(name, "modified")?,
            value,
            action,
            keep_empty_value,
        })
    }
}

fn checked(name: &str, verb: &str) -> Result<HeaderName, InvalidRoute> {
    let checked = HeaderName::new(name);
    if name.starts_with(':') || checked.known() == Some(names::HOST) {
        return Err(InvalidRoute::new(format!(
            ":-prefixed or host headers may not be {verb}"
        )));
    }
    Ok(checked)
}

/// Headers to remove and to add, of one level.
#[derive(Clone, Debug, Default)]
pub struct HeaderMutations {
    add: Box<[HeaderToAdd]>,
    remove: Box<[HeaderName]>,
}

/// Memory for values while headers are changed; kept between requests.
#[derive(Debug, Default)]
pub struct Scratch {
    bytes: Vec<u8>,
    /// For each header to add: where its value ends, and what is to be done with it.
    values: Vec<(usize, Do)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Do {
    Nothing,
    Add,
    Overwrite,
}

impl HeaderMutations {
    /// Changes of these headers.
    ///
    /// # Errors
    /// A pseudo-header or `host` among those to remove.
    pub fn new(add: Vec<HeaderToAdd>, remove: &[String]) -> Result<Self, InvalidRoute> {
        let remove: Result<_, _> = remove.iter().map(|name| checked(name, "removed")).collect();
        Ok(Self {
            add: add.into(),
            remove: remove?,
        })
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }

    /// Changes `headers`. `format` appends a format's text to the bytes; it sees the headers as
    /// they are after the removals and before anything is added.
    ///
    /// The order is Envoy's: removals, values, overwritten headers, added headers. An overwritten
    /// header moves to the end, as there.
    pub fn apply(
        &self,
        headers: &mut HeaderMap,
        scratch: &mut Scratch,
        mut format: impl FnMut(&Formatter, &HeaderMap, &mut Vec<u8>),
    ) {
        for name in &self.remove {
            headers.remove(name);
        }
        if self.add.is_empty() {
            return;
        }
        scratch.bytes.clear();
        scratch.values.clear();
        for header in &self.add {
            let start = scratch.bytes.len();
            match &header.value {
                HeaderValue::Literal(text) => scratch.bytes.extend_from_slice(text),
                HeaderValue::Format(formatter) => format(formatter, headers, &mut scratch.bytes),
            }
            let is_empty = scratch.bytes.len() == start;
            let what = if is_empty && !header.keep_empty_value {
                Do::Nothing
            } else {
                header.decide(headers)
            };
            scratch.values.push((scratch.bytes.len(), what));
        }
        self.write(headers, scratch, Do::Overwrite);
        self.write(headers, scratch, Do::Add);
    }

    fn write(&self, headers: &mut HeaderMap, scratch: &Scratch, what: Do) {
        let kind = kind_of(headers);
        let mut start = 0;
        for (header, (end, todo)) in self.add.iter().zip(&scratch.values) {
            let value = &scratch.bytes[start..*end];
            start = *end;
            match todo {
                Do::Overwrite if what == Do::Overwrite => headers.replace(&header.name, value),
                Do::Add if what == Do::Add => {
                    headers.receive(&header.name, value, kind);
                }
                _ => {}
            }
        }
    }
}

/// What kind of message has these headers.
pub(crate) fn kind_of(headers: &HeaderMap) -> MessageKind {
    match headers.contains(names::STATUS) {
        true => MessageKind::Response,
        false => MessageKind::Request,
    }
}

impl HeaderToAdd {
    pub(crate) fn decide(&self, headers: &HeaderMap) -> Do {
        match self.action {
            AppendAction::AppendIfExistsOrAdd => Do::Add,
            AppendAction::OverwriteIfExistsOrAdd => Do::Overwrite,
            AppendAction::AddIfAbsent if headers.contains(&self.name) => Do::Nothing,
            AppendAction::AddIfAbsent => Do::Add,
            AppendAction::OverwriteIfExists if headers.contains(&self.name) => Do::Overwrite,
            AppendAction::OverwriteIfExists => Do::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(map: &HeaderMap) -> String {
        let field = |(name, value): (&[u8], &[u8])| {
            let text = String::from_utf8_lossy;
            format!("{}={}", text(name), text(value))
        };
        map.iter().map(field).collect::<Vec<_>>().join(" ")
    }

    fn add(name: &str, value: &str, action: AppendAction) -> HeaderToAdd {
        let value = HeaderValue::Literal(value.as_bytes().into());
        HeaderToAdd::new(name, value, action, false).unwrap()
    }

    fn applied(add: Vec<HeaderToAdd>, remove: &[&str], before: &[(&str, &str)]) -> String {
        let remove: Vec<String> = remove.iter().map(|name| (*name).to_owned()).collect();
        let mutations = HeaderMutations::new(add, &remove).unwrap();
        let mut headers = before.iter().copied().collect();
        mutations.apply(&mut headers, &mut Scratch::default(), |_, _, _| {});
        text(&headers)
    }

    #[test]
    fn append_actions() {
        use AppendAction as A;
        for (action, there, absent) in [
            (A::AppendIfExistsOrAdd, "a=1 b=2 a=3", "b=2 a=3"),
            (A::AddIfAbsent, "a=1 b=2", "b=2 a=3"),
            (A::OverwriteIfExistsOrAdd, "b=2 a=3", "b=2 a=3"),
            (A::OverwriteIfExists, "b=2 a=3", "b=2"),
        ] {
            let there_before = [("a", "1"), ("b", "2")];
            assert_eq!(
                applied(vec![add("a", "3", action)], &[], &there_before),
                there
            );
            assert_eq!(
                applied(vec![add("a", "3", action)], &[], &[("b", "2")]),
                absent
            );
        }
    }

    #[test]
    fn removals_come_first_and_overwrites_before_additions() {
        use AppendAction as A;
        let changes = vec![
            add("x", "new", A::AppendIfExistsOrAdd),
            add("y", "new", A::OverwriteIfExistsOrAdd),
            add("z", "", A::AppendIfExistsOrAdd),
        ];
        let before = [("x", "old"), ("y", "old")];
        assert_eq!(applied(changes, &["X"], &before), "y=new x=new");
        let mut empty = add("z", "", A::AppendIfExistsOrAdd);
        empty.keep_empty_value = true;
        assert_eq!(applied(vec![empty], &[], &[]), "z=");
    }

    #[test]
    fn inline_headers_are_joined() {
        let more = vec![add("accept", "b", AppendAction::AppendIfExistsOrAdd)];
        assert_eq!(applied(more, &[], &[("accept", "a")]), "accept=a,b");
    }

    #[test]
    fn some_headers_are_not_to_be_touched() {
        for name in [":path", "Host", ":authority"] {
            let value = HeaderValue::Literal(b"x".as_slice().into());
            let action = AppendAction::default();
            let error = HeaderToAdd::new(name, value, action, false).unwrap_err();
            assert_eq!(
                error.message(),
                ":-prefixed or host headers may not be modified"
            );
            let error = HeaderMutations::new(vec![], &[name.to_owned()]).unwrap_err();
            assert_eq!(
                error.message(),
                ":-prefixed or host headers may not be removed"
            );
        }
    }
}
