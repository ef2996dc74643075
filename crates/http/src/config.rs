//! What a stream's filters need of their manager's configuration, made once per worker.

use crate::conn_manager::HcmStats;
use crate::local_reply_config::LocalReplyConfig;
use std::sync::Arc;

/// Settings of a chain's streams; shared by all of them on a worker.
#[derive(Default)]
pub struct StreamConfig {
    /// How much a stream may buffer, in bytes; 0: without limit.
    pub buffer_limit: usize,
    /// The connection manager's stats; `None` in a chain that has no manager.
    pub stats: Option<HcmStats>,
    /// What local replies become; `None`: they stay.
    pub local_reply: Option<Arc<LocalReplyConfig>>,
}
