//! Fields to a head or trailers, checked as RFC 9113 section 8 wants them.

use super::error::{INVALID_FIELD, MESSAGING};
use super::hpack::{Field, Fields};
use super::settings::H2Settings;
use super::stats::H2Stats;
use crate::chars::{LOWER_TOKEN, is_all_visible, is_authority, is_value, number, trim};
use crate::h1::UnderscoresAction;
use nuncio_base::header_name::{MessageKind, UnknownName};
use nuncio_base::{HeaderMap, Known, names};

/// What a header block is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HeadKind {
    Request,
    Response,
    Trailers,
}

/// What is wrong with one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// A field.
    Field,
    /// The fields together.
    Message,
    TooMany,
    TooLarge,
    Underscore,
}

impl Fault {
    pub const fn details(self) -> &'static str {
        match self {
            Self::Field => INVALID_FIELD,
            Self::Message => MESSAGING,
            Self::TooMany => "http2.too_many_headers",
            Self::TooLarge => "http2.header_list_size_too_large",
            Self::Underscore => "http2.unexpected_underscore",
        }
    }

    /// Whether the message breaks the protocol, and not only a limit of ours.
    pub const fn is_malformed(self) -> bool {
        matches!(self, Self::Field | Self::Message)
    }

    pub fn count(self, stats: &H2Stats) {
        match self {
            Self::Field | Self::Message => stats.rx_messaging_error().inc(),
            Self::TooMany => stats.header_overflow().inc(),
            Self::TooLarge => stats.header_list_size_too_large().inc(),
            Self::Underscore => stats.requests_rejected_with_underscores_in_headers().inc(),
        }
    }
}

/// Takes the fields of nothing that anybody wants: only the table is kept right.
pub(super) struct Unwanted;

impl Fields for Unwanted {
    fn field(&mut self, field: Field<'_>) -> bool {
        field.is_checked
    }
}

/// A head that is being read. Once it has a fault nothing is added to it.
pub(super) struct Head<'a> {
    pub map: HeaderMap,
    kind: HeadKind,
    settings: &'a H2Settings,
    /// Cookie crumbs, joined (section 8.2.3).
    cookies: &'a mut Vec<u8>,
    fault: Option<Fault>,
    fields: usize,
    bytes: usize,
    /// A field that is no pseudo-header has come.
    is_past_pseudo: bool,
    has_host: bool,
    pub dropped: u32,
}

impl<'a> Head<'a> {
    pub fn new(
        map: HeaderMap,
        kind: HeadKind,
        settings: &'a H2Settings,
        cookies: &'a mut Vec<u8>,
    ) -> Self {
        cookies.clear();
        Self {
            map,
            kind,
            settings,
            cookies,
            fault: None,
            fields: 0,
            bytes: 0,
            is_past_pseudo: false,
            has_host: false,
            dropped: 0,
        }
    }

    /// The map, once all fields are there; or what is wrong.
    pub fn finish(mut self) -> (HeaderMap, Result<(), Fault>) {
        if !self.cookies.is_empty() {
            self.map.append(names::COOKIE, self.cookies);
        }
        let result = match (self.fault, self.kind) {
            (Some(fault), _) => Err(fault),
            (None, HeadKind::Request) => check_request(&mut self.map),
            (None, HeadKind::Response) => check_response(&self.map),
            (None, HeadKind::Trailers) => Ok(()),
        };
        (self.map, result)
    }

    fn add(&mut self, field: Field<'_>) -> Result<(), Fault> {
        self.fields += 1;
        self.bytes += field.name.len() + field.value.len();
        if self.bytes > self.settings.max_headers_kb as usize * 1024 {
            return Err(Fault::TooLarge);
        }
        if self.fields > self.settings.max_headers_count as usize {
            return Err(Fault::TooMany);
        }
        let value = trim(field.value);
        if !field.is_checked {
            self.check(&field, value)?;
        }
        match field.known {
            Some(known) if known.is_pseudo() => self.add_pseudo(known, value),
            Some(known) => self.add_known(known, value),
            None => self.add_unknown(field.name, value),
        }
    }

    /// What is to be said of a name and a value whatever else is in the message.
    fn check(&self, field: &Field<'_>, value: &[u8]) -> Result<(), Fault> {
        let is_good = is_value(field.value)
            && match field.known {
                Some(names::METHOD) => {
                    !value.is_empty() && value.iter().all(|&byte| LOWER_TOKEN[byte as usize] != 0)
                }
                Some(names::SCHEME) => is_scheme(value),
                Some(names::AUTHORITY) => is_host(value),
                Some(names::HOST) => self.kind != HeadKind::Request || is_host(value),
                Some(names::PATH) => !value.is_empty() && is_all_visible(value),
                Some(names::PROTOCOL) => self.settings.allow_connect && !value.is_empty(),
                Some(names::STATUS) => {
                    matches!(value, [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'])
                }
                Some(names::CONTENT_LENGTH) => number(value).is_some(),
                Some(_) => true,
                None => {
                    let is_lower = |&byte: &u8| LOWER_TOKEN[byte as usize] == byte && byte != 0;
                    !field.name.is_empty() && field.name.iter().all(is_lower)
                }
            };
        if is_good { Ok(()) } else { Err(Fault::Field) }
    }

    /// Section 8.3: each once, before all others, and only those of this kind of message.
    fn add_pseudo(&mut self, known: Known, value: &[u8]) -> Result<(), Fault> {
        let allowed = match self.kind {
            HeadKind::Request => known != names::STATUS,
            HeadKind::Response => known == names::STATUS,
            HeadKind::Trailers => false,
        };
        if !allowed || self.is_past_pseudo || self.map.contains(known) {
            return Err(Fault::Field);
        }
        if known == names::SCHEME && value.iter().any(u8::is_ascii_uppercase) {
            self.map.append(known, &value.to_ascii_lowercase());
        } else {
            self.map.append(known, value);
        }
        Ok(())
    }

    fn add_known(&mut self, known: Known, value: &[u8]) -> Result<(), Fault> {
        self.is_past_pseudo = true;
        let kind = match self.kind {
            HeadKind::Request => MessageKind::Request,
            HeadKind::Response => MessageKind::Response,
            HeadKind::Trailers => return self.add_trailer(known, value),
        };
        match known {
            // Section 8.2.2.
            names::CONNECTION
            | names::KEEP_ALIVE
            | names::PROXY_CONNECTION
            | names::TRANSFER_ENCODING
            | names::UPGRADE => return Err(Fault::Field),
            names::TE if !value.eq_ignore_ascii_case(b"trailers") => return Err(Fault::Field),
            names::CONTENT_LENGTH if self.map.contains(known) => return Err(Fault::Field),
            names::HOST if kind == MessageKind::Request => return self.add_host(value),
            names::COOKIE if kind == MessageKind::Request => {
                if !self.cookies.is_empty() {
                    self.cookies.extend_from_slice(b"; ");
                }
                self.cookies.extend_from_slice(value);
                return Ok(());
            }
            _ => {}
        }
        self.map.receive(known, value, kind);
        Ok(())
    }

    /// `:authority` counts, and `host` where it lacks (section 8.3.1).
    fn add_host(&mut self, value: &[u8]) -> Result<(), Fault> {
        if std::mem::replace(&mut self.has_host, true) {
            return Err(Fault::Field);
        }
        if !self.map.contains(names::AUTHORITY) {
            self.map.append(names::AUTHORITY, value);
        }
        Ok(())
    }

    fn add_trailer(&mut self, known: Known, value: &[u8]) -> Result<(), Fault> {
        match known {
            names::CONNECTION
            | names::CONTENT_LENGTH
            | names::HOST
            | names::KEEP_ALIVE
            | names::PROXY_CONNECTION
            | names::TE
            | names::TRANSFER_ENCODING
            | names::UPGRADE => Err(Fault::Field),
            _ => {
                self.map.append(known, value);
                Ok(())
            }
        }
    }

    fn add_unknown(&mut self, name: &[u8], value: &[u8]) -> Result<(), Fault> {
        self.is_past_pseudo = true;
        if self.settings.underscores != UnderscoresAction::Allow && name.contains(&b'_') {
            if self.settings.underscores == UnderscoresAction::RejectRequest {
                return Err(Fault::Underscore);
            }
            self.dropped += 1;
            return Ok(());
        }
        self.map.append(UnknownName::known_unknown(name), value);
        Ok(())
    }
}

impl Fields for Head<'_> {
    fn field(&mut self, field: Field<'_>) -> bool {
        if self.fault.is_some() {
            return field.is_checked;
        }
        self.fault = self.add(field).err();
        self.fault.is_none()
    }
}

fn is_scheme(value: &[u8]) -> bool {
    let others = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    value.first().is_some_and(u8::is_ascii_alphabetic) && value.iter().all(others)
}

/// Whether an authority is one, without user (section 8.3.1).
fn is_host(value: &[u8]) -> bool {
    is_authority(value) && !value.contains(&b'@')
}

/// The pseudo-headers that there must be (section 8.3.1; RFC 8441 section 4).
fn check_request(map: &mut HeaderMap) -> Result<(), Fault> {
    let method = map.get(names::METHOD).ok_or(Fault::Message)?;
    let is_connect = method == b"CONNECT";
    let is_extended = map.contains(names::PROTOCOL);
    if is_connect && !is_extended {
        let good = !map.contains(names::SCHEME)
            && !map.contains(names::PATH)
            && map.contains(names::AUTHORITY);
        return if good { Ok(()) } else { Err(Fault::Message) };
    }
    let path = map.get(names::PATH).ok_or(Fault::Message)?;
    let is_path = path.starts_with(b"/") || (path == b"*" && method == b"OPTIONS");
    let good = is_path
        && map.contains(names::SCHEME)
        && map.contains(names::AUTHORITY)
        && is_connect == is_extended;
    if good { Ok(()) } else { Err(Fault::Message) }
}

/// There is no 101 in HTTP/2 (section 8.6).
fn check_response(map: &HeaderMap) -> Result<(), Fault> {
    match map.get(names::STATUS) {
        None | Some(b"101") => Err(Fault::Message),
        Some(_) => Ok(()),
    }
}
