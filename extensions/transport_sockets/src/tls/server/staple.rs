//! OCSP responses that certificates are shown with (RFC 6960), as they are configured: nobody
//! fetches them. Like Envoy this reads whom and how long they are for; clients check the rest.

use crate::tls::certificate::{self, without_zeros};
use crate::tls::identity::Identity;
use std::time::SystemTime;

const SEQUENCE: u8 = 0x30;
const ENUMERATED: u8 = 0x0a;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
const INTEGER: u8 = 0x02;
const GENERALIZED_TIME: u8 = 0x18;
/// A field's explicit tag, and that of the version before it.
const TAG_0: u8 = 0xa0;

/// What becomes of certificates whose response is missing or out of date.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StaplePolicy {
    /// They are shown without it.
    Lenient,
    /// They are shown without it, but not with one that is out of date.
    Strict,
    /// They are not shown.
    Must,
}

/// What a client gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StapleAction {
    /// The response.
    Staple,
    /// None, though it asked.
    Omit,
    /// No certificate without a response.
    Fail,
    /// None, as it did not ask.
    NotAsked,
}

/// A certificate's response, and what is done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staple {
    policy: StaplePolicy,
    /// Until when it is good; `None` in it: no longer.
    response: Option<Option<SystemTime>>,
}

impl Staple {
    /// The response that is configured with a certificate.
    ///
    /// # Errors
    /// In Envoy's words: a response that is malformed or for another certificate, or none where one
    /// is needed.
    pub fn new(own: &Identity, policy: StaplePolicy) -> Result<Self, &'static str> {
        let leaf = own.key.cert.first();
        let must = leaf.is_some_and(|leaf| certificate::must_staple(leaf));
        let response = match own.key.ocsp.as_deref() {
            None if must => return Err("OCSP response is required for must-staple certificate"),
            None if policy == StaplePolicy::Must => {
                return Err("Required OCSP response is missing from TLS context");
            }
            None => None,
            Some(der) => {
                let response = read(der)?;
                if leaf.and_then(|leaf| certificate::raw_serial(leaf)) != Some(response.serial) {
                    return Err("OCSP response does not match its TLS certificate");
                }
                Some(response.next_update)
            }
        };
        let policy = if must { StaplePolicy::Must } else { policy };
        Ok(Self { policy, response })
    }

    /// What a client gets that asks for a response.
    pub fn action(&self, now: SystemTime) -> StapleAction {
        let is_good = |until: Option<SystemTime>| until.is_some_and(|until| until >= now);
        match (self.response, self.policy) {
            (Some(until), _) if is_good(until) => StapleAction::Staple,
            (_, StaplePolicy::Must) | (Some(_), StaplePolicy::Strict) => StapleAction::Fail,
            _ => StapleAction::Omit,
        }
    }
}

/// What is read of a response.
#[derive(Debug, PartialEq, Eq)]
struct Response {
    /// The number of the certificate that it is for.
    serial: Vec<u8>,
    next_update: Option<SystemTime>,
}

fn read(der: &[u8]) -> Result<Response, &'static str> {
    const MALFORMED: &str = "OCSP response is malformed";
    let mut whole = Reader(der);
    let mut response = whole.take(SEQUENCE).ok_or(MALFORMED)?;
    if !whole.0.is_empty() {
        return Err("Data contained more than a single OCSP response");
    }
    let status = response.take(ENUMERATED).ok_or(MALFORMED)?;
    if status.0 != [0] {
        return Err("OCSP response was unsuccessful");
    }
    if response.0.is_empty() {
        return Err("OCSP response has no body");
    }
    let mut responses = responses(response).ok_or(MALFORMED)?;
    let single = responses.take(SEQUENCE).ok_or(MALFORMED)?;
    if !responses.0.is_empty() {
        return Err("OCSP Response must be for one certificate only");
    }
    read_single(single).ok_or(MALFORMED)
}

/// The list of responses in a `BasicOCSPResponse`.
fn responses(mut response: Reader<'_>) -> Option<Reader<'_>> {
    /// id-pkix-ocsp-basic
    const BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];
    let mut bytes = response.take(TAG_0)?.take(SEQUENCE)?;
    if bytes.take(OBJECT_IDENTIFIER)?.0 != BASIC {
        return None;
    }
    let mut data = bytes.take(OCTET_STRING)?.take(SEQUENCE)?.take(SEQUENCE)?;
    // The version may be left out.
    if data.0.first() == Some(&TAG_0) {
        data.take(TAG_0)?;
    }
    let _responder = data.next()?;
    let _produced_at = data.take(GENERALIZED_TIME)?;
    data.take(SEQUENCE)
}

fn read_single(mut single: Reader<'_>) -> Option<Response> {
    let mut id = single.take(SEQUENCE)?;
    id.take(SEQUENCE)?;
    id.take(OCTET_STRING)?;
    id.take(OCTET_STRING)?;
    let serial = without_zeros(id.take(INTEGER)?.0).to_vec();
    let _status = single.next()?;
    let _this_update = single.take(GENERALIZED_TIME)?;
    let next_update = match single.0.first() {
        Some(&TAG_0) => {
            let time = single.take(TAG_0)?;
            Some(certificate::read_time(time.0)?)
        }
        _ => None,
    };
    Some(Response {
        serial,
        next_update,
    })
}

/// Takes values in DER (X.690) off the front; `None` where they are others or cut short.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, tag: u8) -> Option<Self> {
        let (found, content) = self.next()?;
        (found == tag).then_some(content)
    }

    fn next(&mut self) -> Option<(u8, Self)> {
        let (&[tag, first], rest) = self.0.split_first_chunk()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // More than a file of this kind has is not looked for.
            0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = digits
                    .iter()
                    .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, Self(content)))
    }
}

#[cfg(test)]
#[path = "staple_tests.rs"]
mod tests;
