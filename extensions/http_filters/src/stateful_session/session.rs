//! Where requests name their host, and how responses tell it.

use super::wire::Cookie;
use nuncio_base::header_value::is_value;
use nuncio_base::{HeaderMap, HeaderName, base64, names};
use nuncio_matching::cookie::{first_cookie, set_cookie_value};
use std::time::SystemTime;

/// Marks what an envelope carries for the service itself.
const VALUE: &[u8] = b"UV:";

/// A cookie that names the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieSession {
    /// Its name.
    pub name: String,
    /// Its path: requests to others have no session.
    pub path: String,
    /// How long it is valid, in seconds; 0: as long as the client likes.
    pub ttl: u64,
    /// Further attributes; an empty value: the name alone.
    pub attributes: Vec<(String, String)>,
}

/// What a request says of its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Nothing.
    Nothing,
    /// The host's address.
    Address(String),
    /// What the service would get in this header cannot be sent.
    Unsendable(HeaderName),
}

/// How a client remembers its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// By a cookie.
    Cookie(CookieSession),
    /// By a header that has the address.
    Header(HeaderName),
    /// By a header of the service, which the address is added to.
    Envelope(HeaderName),
}

impl SessionState {
    /// Whether a request has a session at all.
    pub fn covers(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Cookie(cookie) => cookie.covers(headers.get(names::PATH).unwrap_or_default()),
            Self::Header(_) | Self::Envelope(_) => true,
        }
    }

    /// The host that a request names; what belongs to the service is given back to it.
    pub fn named(&self, headers: &mut HeaderMap, now: SystemTime) -> Named {
        let address = match self {
            Self::Cookie(cookie) => cookie.address(headers, now),
            Self::Header(name) => headers.get(name).and_then(base64::decode),
            Self::Envelope(name) => match headers.get(name).and_then(open_envelope) {
                Some((_, value)) if !is_value(&value) => return Named::Unsendable(name.clone()),
                Some((address, value)) => {
                    headers.replace(name, &value);
                    Some(address)
                }
                None => None,
            },
        };
        let address = address.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let address = address.filter(|address| !address.is_empty());
        address.map_or(Named::Nothing, Named::Address)
    }

    /// Tells a client which host it has; `before` is the one that it named.
    pub fn tell(
        &self,
        headers: &mut HeaderMap,
        address: &str,
        before: Option<&str>,
        now: SystemTime,
    ) {
        match self {
            Self::Envelope(name) => {
                let mut values = headers.get_all(name);
                let (Some(value), None) = (values.next(), values.next()) else {
                    return;
                };
                let (address, value) = (address.as_bytes(), base64::encode(value));
                drop(values);
                let envelope = format!("{};UV:{value}", base64::encode(address));
                headers.set(name, envelope.as_bytes());
            }
            _ if before == Some(address) => {}
            Self::Cookie(cookie) => {
                headers.append(names::SET_COOKIE, &cookie.set_cookie(address, now));
            }
            Self::Header(name) => {
                headers.set(name, base64::encode(address.as_bytes()).as_bytes());
            }
        }
    }
}

impl CookieSession {
    fn covers(&self, path: &[u8]) -> bool {
        if self.path.is_empty() || self.path == "/" {
            return true;
        }
        let Some(rest) = path.strip_prefix(self.path.as_bytes()) else {
            return false;
        };
        self.path.ends_with('/') || matches!(rest.first(), None | Some(b'/' | b'?' | b'#'))
    }

    fn address(&self, headers: &HeaderMap, now: SystemTime) -> Option<Vec<u8>> {
        let value = first_cookie(headers, self.name.as_bytes())?;
        let value = base64::decode(value)?;
        match Cookie::read(&value) {
            Some(cookie) if cookie.expires != 0 && cookie.expires < seconds(now) => None,
            Some(cookie) => Some(cookie.address.into_bytes()),
            // As older versions wrote it: the address alone.
            None => Some(value),
        }
    }

    fn set_cookie(&self, address: &str, now: SystemTime) -> Vec<u8> {
        let ttl = i64::try_from(self.ttl).unwrap_or(i64::MAX);
        let cookie = Cookie {
            address: address.to_owned(),
            expires: if ttl == 0 {
                0
            } else {
                seconds(now).saturating_add(ttl)
            },
        };
        let value = base64::encode(&cookie.bytes());
        set_cookie_value(&self.name, &value, self.ttl, &self.path, &self.attributes)
    }
}

fn seconds(now: SystemTime) -> i64 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

/// The address and the service's own value, each of which must be there; the address may be none.
fn open_envelope(value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut parts = value.split(|byte| *byte == b';');
    let address = parts.next().filter(|part| !part.is_empty())?;
    let own = parts.find_map(|part| part.strip_prefix(VALUE))?;
    let own = base64::decode(own).filter(|own| !own.is_empty())?;
    Some((base64::decode(address).unwrap_or_default(), own))
}
