//! Connections' secrets in a file, in NSS's format, by which Wireshark reads what was captured
//! (`key_log`): of the connections whose addresses are in the ranges that the configuration names.

pub mod config;

use nuncio_base::address::Address;
use nuncio_matching::CidrList;
use nuncio_observe::access_log::SharedFile;
use rustls::KeyLog;
use std::fmt;
use std::io::Write;
use std::sync::Arc;

/// A file of secrets, and whose they are.
pub struct KeyLogFile {
    file: SharedFile,
    local: CidrList,
    remote: CidrList,
}

/// Whose secrets are logged where.
pub type OptionalKeyLog = Option<Arc<KeyLogFile>>;

impl KeyLogFile {
    /// Whether the secrets of a connection between these addresses are logged. A list without
    /// ranges is one of all.
    pub fn covers(&self, local: Option<&Address>, remote: Option<&Address>) -> bool {
        let is_in = |ranges: &CidrList, address: Option<&Address>| {
            let address = address.and_then(Address::ip_only);
            ranges.is_empty() || address.is_some_and(|address| ranges.contains(address))
        };
        is_in(&self.local, local) && is_in(&self.remote, remote)
    }
}

impl fmt::Debug for KeyLogFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLogFile").finish_non_exhaustive()
    }
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        self.file
            .append(|out| line(out, label, client_random, secret));
    }
}

fn line(out: &mut Vec<u8>, label: &str, client_random: &[u8], secret: &[u8]) {
    out.extend_from_slice(label.as_bytes());
    for bytes in [client_random, secret] {
        out.push(b' ');
        for byte in bytes {
            // Nothing fails that is written to memory.
            let _ = write!(out, "{byte:02x}");
        }
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_of_nss_format() {
        let mut out = Vec::new();
        line(&mut out, "CLIENT_RANDOM", &[0, 255], &[16]);
        assert_eq!(out, b"CLIENT_RANDOM 00ff 10\n");
    }
}
