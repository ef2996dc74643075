//! Private keys that are encrypted with a password: PKCS #8 (RFC 5958 section 3) by PBES2 (RFC 8018
//! section 6.2) with PBKDF2 and AES, as `openssl pkcs8 -topk8` writes them.

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::num::NonZeroU32;
use x509_parser::der_parser::ber::BerObject;
use x509_parser::der_parser::der::parse_der;
use x509_parser::pem::Pem;

const PBES2: &str = "1.2.840.113549.1.5.13";
const PBKDF2: &str = "1.2.840.113549.1.5.12";

/// How often a password is hashed at most: some seconds' work.
const MOST_ROUNDS: u32 = 10_000_000;

/// Why a key could not be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyError {
    /// There is no password.
    NoPassword,
    /// The password is another one.
    BadPassword,
    /// It is no key, or encrypted in another way.
    Unsupported,
}

impl KeyError {
    /// As Envoy's library says it.
    pub fn cause(self) -> &'static str {
        match self {
            Self::NoPassword => "error:09000068:PEM routines:OPENSSL_internal:BAD_PASSWORD_READ",
            Self::BadPassword => "error:1e000065:Cipher functions:OPENSSL_internal:BAD_DECRYPT",
            Self::Unsupported => {
                "this build reads keys that are encrypted as PKCS #8 by PBKDF2 and AES in CBC \
                 mode (openssl pkcs8 -topk8)"
            }
        }
    }
}

/// Whether a PEM text has a key that is encrypted.
pub fn is_encrypted(pem: &[u8]) -> bool {
    let has = |words: &[u8]| pem.windows(words.len()).any(|part| part == words);
    has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED")
}

/// The key of a PEM text that is encrypted.
///
/// # Errors
/// See [`KeyError`].
pub fn decrypt(pem: &[u8], password: &[u8]) -> Result<PrivateKeyDer<'static>, KeyError> {
    if password.is_empty() {
        return Err(KeyError::NoPassword);
    }
    let mut blocks = Pem::iter_from_buffer(pem).flatten();
    let block = blocks.find(|block| block.label == "ENCRYPTED PRIVATE KEY");
    let block = block.ok_or(KeyError::Unsupported)?;
    let Encrypted {
        scheme,
        iv,
        mut data,
    } = Encrypted::parse(&block.contents).ok_or(KeyError::Unsupported)?;
    let (cipher, length) = scheme.cipher;
    let mut key = vec![0; length];
    let (salt, rounds) = (&scheme.salt, scheme.rounds);
    pbkdf2::derive(scheme.hash, rounds, salt, password, &mut key);
    let key = UnboundCipherKey::new(cipher, &key).map_err(|_| KeyError::Unsupported)?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(|_| KeyError::Unsupported)?;
    let context = DecryptionContext::Iv128(FixedLength::from(iv));
    let plain = key.decrypt(&mut data, context);
    let plain = plain.map_err(|_| KeyError::BadPassword)?;
    Ok(PrivatePkcs8KeyDer::from(plain.to_vec()).into())
}

/// What the key is made of the password by.
struct Scheme {
    /// And how many bytes its keys have.
    cipher: (&'static Algorithm, usize),
    hash: pbkdf2::Algorithm,
    salt: Vec<u8>,
    rounds: NonZeroU32,
}

/// `EncryptedPrivateKeyInfo`, taken apart.
struct Encrypted {
    scheme: Scheme,
    iv: [u8; 16],
    data: Vec<u8>,
}

impl Encrypted {
    fn parse(der: &[u8]) -> Option<Self> {
        let (_, whole) = parse_der(der).ok()?;
        let [algorithm, data] = parts(&whole)? else {
            return None;
        };
        let [derivation, encryption] = parts(named(algorithm, PBES2)?)? else {
            return None;
        };
        let [salt, rounds, more @ ..] = parts(named(derivation, PBKDF2)?)? else {
            return None;
        };
        let [cipher, iv] = parts(encryption)? else {
            return None;
        };
        let scheme = Scheme {
            cipher: match oid(cipher)?.as_str() {
                "2.16.840.1.101.3.4.1.2" => (&AES_128, 16),
                "2.16.840.1.101.3.4.1.22" => (&AES_192, 24),
                "2.16.840.1.101.3.4.1.42" => (&AES_256, 32),
                _ => return None,
            },
            hash: hash(more)?,
            salt: salt.as_slice().ok()?.to_vec(),
            rounds: NonZeroU32::new(
                rounds
                    .as_u32()
                    .ok()
                    .filter(|rounds| *rounds <= MOST_ROUNDS)?,
            )?,
        };
        Some(Self {
            scheme,
            iv: iv.as_slice().ok()?.try_into().ok()?,
            data: data.as_slice().ok()?.to_vec(),
        })
    }
}

/// The hash that is named last, behind a length that may be left out; SHA-1 where none is.
fn hash(more: &[BerObject<'_>]) -> Option<pbkdf2::Algorithm> {
    let Some(algorithm) = more.last().and_then(parts) else {
        return Some(pbkdf2::PBKDF2_HMAC_SHA1);
    };
    Some(match oid(algorithm.first()?)?.as_str() {
        "1.2.840.113549.2.7" => pbkdf2::PBKDF2_HMAC_SHA1,
        "1.2.840.113549.2.9" => pbkdf2::PBKDF2_HMAC_SHA256,
        "1.2.840.113549.2.10" => pbkdf2::PBKDF2_HMAC_SHA384,
        "1.2.840.113549.2.11" => pbkdf2::PBKDF2_HMAC_SHA512,
        _ => return None,
    })
}

fn parts<'a, 'b>(object: &'b BerObject<'a>) -> Option<&'b [BerObject<'a>]> {
    object.as_sequence().ok().map(Vec::as_slice)
}

fn oid(object: &BerObject<'_>) -> Option<String> {
    object.as_oid().ok().map(|oid| oid.to_id_string())
}

/// The parameters of an algorithm, if it is that of this name.
fn named<'a, 'b>(algorithm: &'b BerObject<'a>, name: &str) -> Option<&'b BerObject<'a>> {
    match parts(algorithm)? {
        [own, parameters] if oid(own)? == name => Some(parameters),
        _ => None,
    }
}

#[cfg(test)]
#[path = "encrypted_key_tests.rs"]
mod tests;
