//! Ejections, for the event log (`envoy.data.cluster.v3.OutlierDetectionEvent`).

use super::spec::Ejection;
use nuncio_base::address::Address;
use std::time::SystemTime;

/// What happened to a host.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum OutlierAction {
    /// It was ejected, or would have been.
    Eject {
        /// Why.
        ejection: Ejection,
        /// Whether it really was.
        enforced: bool,
        /// The host's success rate in percent, the hosts' average, and the lowest rate that is
        /// still good; -1 where there is none.
        rates: [f64; 3],
    },
    /// It is back.
    Uneject,
}

/// Something that happened.
#[derive(Clone, PartialEq, Debug)]
pub struct OutlierEvent {
    /// What.
    pub action: OutlierAction,
    /// When.
    pub time: SystemTime,
    /// Seconds since the last opposite action.
    pub since_last_action: Option<u64>,
    /// The cluster's name.
    pub cluster: String,
    /// Where the host is.
    pub address: Address,
    /// How often it was ejected.
    pub ejections: u32,
}
