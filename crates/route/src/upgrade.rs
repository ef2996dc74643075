//! `envoy.config.route.v3.RouteAction.UpgradeConfig`: which upgrades a route allows.

/// Whether and how one kind of upgrade is allowed. Kinds are compared without case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradeConfig {
    /// The upgrade's name, as `websocket` or `CONNECT`.
    pub kind: Box<str>,
    /// Whether it is allowed.
    pub enabled: bool,
    /// Set where a CONNECT ends here: its payload is sent on as plain TCP.
    pub connect: Option<ConnectConfig>,
}

/// How a CONNECT that ends here is sent on (`ConnectConfig`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectConfig {
    /// Whether a POST is taken for a CONNECT.
    pub allow_post: bool,
}
