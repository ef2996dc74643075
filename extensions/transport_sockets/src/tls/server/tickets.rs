//! Session tickets (RFC 8446 section 4.6.1, RFC 5077): what is sealed in them, with which keys, and
//! for how long.
//!
//! A ticket is taken up without another look at the client's certificate. So one that another
//! configuration has sealed is no ticket, even if the keys are the same.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use nuncio_base::time::{since_epoch, wall};
use rustls::server::{ProducesTickets, StoresServerSessions};
use std::fmt;
use std::sync::Arc;

/// How long a key is, in bytes: a name, and keys to authenticate and to encrypt with.
pub const KEY_BYTES: usize = 80;
const NAME: usize = 16;
const HMAC: usize = 32;
/// A time, in front of what is sealed or stored.
const TIME: usize = 8;

/// A configured key.
pub struct TicketKey {
    name: [u8; NAME],
    key: LessSafeKey,
}

impl TicketKey {
    /// Envoy's form of a key; `None` where it has another length.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != KEY_BYTES {
            return None;
        }
        let (name, keys) = bytes.split_at(NAME);
        let (hmac_key, aes_key) = keys.split_at(HMAC);
        // One key does both here, and is made of both.
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, hmac_key), aes_key);
        let key = UnboundKey::new(&AES_256_GCM, tag.as_ref()).ok()?;
        Some(Self {
            name: name.try_into().ok()?,
            key: LessSafeKey::new(key),
        })
    }
}

/// Seals with the first of the configured keys, opens with any.
pub struct ConfiguredTickets {
    /// At least one.
    pub keys: Vec<TicketKey>,
    /// Stands for the configuration.
    pub context: [u8; 32],
}

impl ConfiguredTickets {
    fn aad(&self, key: &TicketKey) -> Aad<Vec<u8>> {
        Aad::from([&key.name[..], &self.context].concat())
    }

    fn open(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_at_checked(NAME)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let key = self.keys.iter().find(|key| key.name == name)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let plain = key.key.open_in_place(nonce, self.aad(key), &mut sealed);
        let length = plain.ok()?.len();
        sealed.truncate(length);
        Some(sealed)
    }
}

impl fmt::Debug for ConfiguredTickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfiguredTickets").finish_non_exhaustive()
    }
}

impl ProducesTickets for ConfiguredTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::MAX
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let key = self.keys.first()?;
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).ok()?;
        let mut sealed = plain.to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        let tagged = key
            .key
            .seal_in_place_append_tag(unique, self.aad(key), &mut sealed);
        tagged.ok()?;
        Some([&key.name[..], &nonce, &sealed].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.open(ticket)
    }
}

/// Tickets or sessions that are good for a time.
#[derive(Debug)]
pub struct Timed<T: ?Sized> {
    /// For how many seconds.
    pub lifetime: u32,
    /// What seals or stores.
    pub inner: Arc<T>,
}

impl<T: ?Sized> Timed<T> {
    fn stamp(&self, value: &[u8]) -> Vec<u8> {
        let now = since_epoch(wall()).as_secs();
        [&now.to_be_bytes()[..], value].concat()
    }

    fn unstamp(&self, stamped: &[u8]) -> Option<Vec<u8>> {
        let (time, value) = stamped.split_at_checked(TIME)?;
        let begun = u64::from_be_bytes(time.try_into().ok()?);
        let age = since_epoch(wall()).as_secs().checked_sub(begun)?;
        (age <= u64::from(self.lifetime)).then(|| value.to_vec())
    }
}

impl ProducesTickets for Timed<dyn ProducesTickets> {
    fn enabled(&self) -> bool {
        self.inner.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.lifetime.min(self.inner.lifetime())
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.inner.encrypt(&self.stamp(plain))
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.unstamp(&self.inner.decrypt(ticket)?)
    }
}

impl StoresServerSessions for Timed<dyn StoresServerSessions> {
    fn put(&self, id: Vec<u8>, session: Vec<u8>) -> bool {
        self.inner.put(id, self.stamp(&session))
    }

    fn get(&self, id: &[u8]) -> Option<Vec<u8>> {
        self.unstamp(&self.inner.get(id)?)
    }

    fn take(&self, id: &[u8]) -> Option<Vec<u8>> {
        self.unstamp(&self.inner.take(id)?)
    }

    fn can_cache(&self) -> bool {
        self.inner.can_cache()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tickets(keys: &[u8], context: u8) -> ConfiguredTickets {
        let keys = keys
            .iter()
            .map(|byte| TicketKey::new(&[*byte; KEY_BYTES]).unwrap());
        ConfiguredTickets {
            keys: keys.collect(),
            context: [context; 32],
        }
    }

    #[test]
    fn tickets_are_opened_with_any_key_of_the_same_context() {
        let old = tickets(&[1], 0);
        let ticket = old.encrypt(b"session").unwrap();
        for (keys, context, opens) in [
            (&[1][..], 0, true),
            (&[2, 1], 0, true),
            (&[2], 0, false),
            (&[1], 1, false),
        ] {
            let opened = tickets(keys, context).decrypt(&ticket);
            assert_eq!(opened.is_some(), opens, "{keys:?} {context}");
        }
        for cut in 0..ticket.len() {
            assert_eq!(old.decrypt(&ticket[..cut]), None);
        }
        assert!(TicketKey::new(&[0; KEY_BYTES - 1]).is_none());
    }

    #[test]
    fn what_is_too_old_is_nothing() {
        let lasting = |lifetime| Timed::<dyn ProducesTickets> {
            lifetime,
            inner: Arc::new(tickets(&[1], 0)),
        };
        let ticket = lasting(60).encrypt(b"session").unwrap();
        assert_eq!(lasting(60).decrypt(&ticket).unwrap(), b"session");
        let old = lasting(60)
            .inner
            .encrypt(&[&[0; TIME][..], b"session"].concat());
        assert_eq!(lasting(60).decrypt(&old.unwrap()), None);
        let future = lasting(60)
            .inner
            .encrypt(&[&[255; TIME][..], b"session"].concat());
        assert_eq!(lasting(60).decrypt(&future.unwrap()), None);
    }
}
