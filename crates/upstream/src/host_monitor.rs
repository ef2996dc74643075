//! What workers tell main of a host's answers to clients: outlier detection and passive health
//! checks.

use crate::discovery::MembersHandle;

/// Watches one host. Set by main before any worker sees the host.
pub struct HostMonitor {
    members: MembersHandle,
    host: u64,
    /// Whether its cluster has health checks.
    checked: bool,
}

impl HostMonitor {
    pub(crate) fn new(members: MembersHandle, host: u64, checked: bool) -> Self {
        Self {
            members,
            host,
            checked,
        }
    }

    /// A response said that the host is not healthy (`x-envoy-immediate-health-check-fail`).
    pub fn on_immediate_health_check_fail(&self) {
        if self.checked {
            let host = self.host;
            self.members
                .post(move |members| members.on_passive_failure(host));
        }
    }
}
