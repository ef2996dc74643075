//! Outlier detection: hosts whose answers are worse than they should be get no traffic for a while
//! (Envoy's "Outlier detection"). Workers count answers, main ejects.

mod detector;
mod event;
mod monitor;
mod spec;
mod stats;
mod success_rate;

pub(crate) use detector::OutlierDetector;
pub use event::{OutlierAction, OutlierEvent};
pub use monitor::{OutlierMonitor, OutlierResult};
pub use spec::{Ejection, OutlierSpec};
pub use success_rate::SuccessRates;
