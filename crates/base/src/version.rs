//! Which build this is, in the shape Envoy prints: `revision/version/status/type/ssl`.

/// This build's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The source revision, 40 hex digits: `NUNCIO_REVISION` in the build's environment, or zeros.
pub const REVISION: &str = match option_env!("NUNCIO_REVISION") {
    Some(revision) => revision,
    None => "0000000000000000000000000000000000000000",
};

/// The version of Envoy whose configuration, stats and admin answers this build speaks.
pub const ENVOY_VERSION: &str = "1.40.0";

/// The hot restart protocol's version, as `--hot-restart-version` prints it.
pub const HOT_RESTART_VERSION: &str = "11.104";

/// What `--version` and `/server_info` print.
pub fn version() -> String {
    let kind = if cfg!(debug_assertions) {
        "DEBUG"
    } else {
        "RELEASE"
    };
    format!("{REVISION}/{VERSION}/Clean/{kind}/rustls")
}

/// The revision's first six hex digits as a number: the stat `server.version`.
pub fn version_number() -> u64 {
    let digits = REVISION.get(..6).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn has_envoys_five_parts() {
        assert_eq!(super::version().split('/').count(), 5);
        assert_eq!(super::REVISION.len(), 40);
    }
}
