//! Where systems keep the authorities that they trust (`system_root_certs`).

use std::ffi::OsString;
use std::path::PathBuf;

/// Names the file, wherever it is, to OpenSSL and those who do as it does.
const VARIABLE: &str = "SSL_CERT_FILE";

/// The files of Debian and Alpine, Fedora, openSUSE, RHEL, and others.
const FILES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The file and its PEM text; none where nothing can be read.
pub fn find() -> Option<(PathBuf, Vec<u8>)> {
    first_of(std::env::var_os(VARIABLE), &FILES)
}

/// Where a file is named no other is looked for.
fn first_of(named: Option<OsString>, files: &[&str]) -> Option<(PathBuf, Vec<u8>)> {
    let mut paths: Vec<_> = files.iter().map(PathBuf::from).collect();
    if let Some(named) = named {
        paths = vec![named.into()];
    }
    let mut readable = paths.into_iter().filter_map(|path| {
        let pem = std::fs::read(&path).ok()?;
        Some((path, pem))
    });
    readable.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_file_counts_unless_one_is_named() {
        let own = file!().replace("extensions/transport_sockets/", "");
        let files = ["/none", own.as_str(), "Cargo.toml"];
        let found = |named: Option<&str>| {
            let (path, text) = first_of(named.map(Into::into), &files)?;
            assert!(!text.is_empty());
            path.to_str().map(str::to_owned)
        };
        assert_eq!(found(None), Some(own.clone()));
        assert_eq!(found(Some("Cargo.toml")).as_deref(), Some("Cargo.toml"));
        assert_eq!(found(Some("/none")), None);
    }
}
