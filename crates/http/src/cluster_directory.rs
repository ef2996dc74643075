//! Clusters by name, for logs: a route names a cluster before a router looks at it.

use nuncio_stream_info::StreamInfo;
use std::cell::OnceCell;

type Describe = Box<dyn Fn(&str, &mut StreamInfo)>;

/// A service of a worker that tells a stream of a cluster. Routers fill it in.
#[derive(Default)]
pub struct ClusterDirectory(OnceCell<Describe>);

impl ClusterDirectory {
    /// Says how clusters are described; the first counts.
    pub fn fill(&self, describe: impl Fn(&str, &mut StreamInfo) + 'static) {
        // A second router of the worker would say the same.
        let _ = self.0.set(Box::new(describe));
    }

    /// Writes what is known of a cluster of this name to the stream's facts.
    pub(crate) fn describe(&self, name: &str, info: &mut StreamInfo) {
        if let Some(describe) = self.0.get() {
            describe(name, info);
        }
    }
}
