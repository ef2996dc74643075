//! Users and the hashes of their passwords, as `htpasswd -s` writes them.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use nuncio_base::base64;
use std::collections::HashMap;
use std::fmt;

const SCHEME: &str = "{SHA}";
/// The length of a SHA-1 hash in base64.
const HASH_LENGTH: usize = 28;

/// Why a list is none, in Envoy's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidUsers {
    /// A line has no colon.
    NoColon,
    /// A name or a password is empty.
    Empty,
    /// Another hash.
    Scheme,
    /// A hash of another length.
    Length,
    /// A name occurs twice.
    Duplicate,
}

impl fmt::Display for InvalidUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("basic auth: ")?;
        f.write_str(match self {
            Self::NoColon => "invalid htpasswd format, username:password is expected",
            Self::Empty => "empty user name or password",
            Self::Scheme => "unsupported htpasswd format: please use {SHA}",
            Self::Length => "invalid htpasswd format, invalid SHA hash length",
            Self::Duplicate => "duplicate users",
        })
    }
}

/// The hashes by the users' names.
#[derive(Default)]
pub struct Users(HashMap<Box<[u8]>, Vec<u8>>);

impl Users {
    /// Reads a list: a user a line, comments begin with `#`.
    ///
    /// # Errors
    /// Where a line is none.
    pub fn parse(text: &str) -> Result<Self, InvalidUsers> {
        let mut users = HashMap::new();
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, password) = line.split_once(':').ok_or(InvalidUsers::NoColon)?;
            let (name, password) = (name.trim(), password.trim());
            if name.is_empty() || password.is_empty() {
                return Err(InvalidUsers::Empty);
            }
            let hash = password.strip_prefix(SCHEME).ok_or(InvalidUsers::Scheme)?;
            if hash.len() != HASH_LENGTH {
                return Err(InvalidUsers::Length);
            }
            // A hash that is no base64 is nobody's.
            let hash = base64::decode(hash.as_bytes()).unwrap_or_default();
            let known = users.insert(name.as_bytes().into(), hash);
            if known.is_some() {
                return Err(InvalidUsers::Duplicate);
            }
        }
        Ok(Self(users))
    }

    /// Whether this is a user's password. Takes as long for names that there are not.
    pub fn accept(&self, name: &[u8], password: &[u8]) -> bool {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, password);
        let expected = self.0.get(name).map_or(&[0; 20][..], Vec::as_slice);
        let equal = verify_slices_are_equal(hash.as_ref(), expected).is_ok();
        equal && self.0.contains_key(name)
    }
}
