//! Whether one request gets a fault: what headers and runtime make of the settings, and the draw.

use super::settings::FaultSettings;
use nuncio_base::names;
use nuncio_base::runtime_flags::{Fraction, RuntimeFlags};
use nuncio_http::Cx;
use std::time::Duration;

/// A longer delay, which a header or runtime may ask for, is taken for this one.
const LONGEST: Duration = Duration::from_secs(1 << 32);

/// Asks runtime what holds for this request: for all, or for those of the client's cluster.
struct RuntimeView<'a, 'b> {
    cx: &'a mut Cx<'b>,
    flags: &'a RuntimeFlags,
    /// The client's cluster, where it says one.
    cluster: Option<String>,
}

impl<'a, 'b> RuntimeView<'a, 'b> {
    fn new(cx: &'a mut Cx<'b>, flags: &'a RuntimeFlags) -> Self {
        let name = names::X_ENVOY_DOWNSTREAM_SERVICE_CLUSTER;
        // No flag is set: no key needs to be made.
        let cluster = match flags.is_empty() {
            true => None,
            false => cx
                .request_headers()
                .get(name)
                .map(|cluster| String::from_utf8_lossy(cluster).into_owned()),
        };
        Self { cx, flags, cluster }
    }

    fn draw(&self, key: &str, share: Fraction) -> bool {
        let share = self.flags.fraction(key, share);
        share.holds(self.cx.worker().random())
    }

    /// Whether one of the two keys' shares, `of_cluster` being the end of the cluster's, has this
    /// request in it.
    fn is_drawn(&self, key: &str, of_cluster: &str, share: Fraction) -> bool {
        if let Some(cluster) = &self.cluster
            && self.draw(&format!("fault.http.{cluster}.{of_cluster}"), share)
        {
            return true;
        }
        self.draw(key, share)
    }

    fn integer(&self, key: &str, of_cluster: &str, default: u64) -> u64 {
        let value = self.flags.integer(key, default);
        match &self.cluster {
            Some(cluster) => {
                let key = format!("fault.http.{cluster}.{of_cluster}");
                self.flags.integer(&key, value)
            }
            None => value,
        }
    }
}

/// How long the request is delayed, if it is.
pub(super) fn delay_of(cx: &mut Cx<'_>, settings: &FaultSettings) -> Option<Duration> {
    let delay = settings.delay?;
    let headers = cx.request_headers();
    let share = delay.share(headers);
    let duration = delay.duration(headers);
    let flags = cx.worker().flags();
    let runtime = RuntimeView::new(cx, &flags);
    let keys = &settings.keys;
    if !runtime.is_drawn(&keys.delay_percent, "delay.fixed_delay_percent", share) {
        return None;
    }
    let millis = nuncio_base::time::millis(duration?);
    let millis = runtime.integer(&keys.delay_duration, "delay.fixed_duration_ms", millis);
    let delay = Duration::from_millis(millis).min(LONGEST);
    Some(delay).filter(|delay| !delay.is_zero())
}

/// The HTTP status and the gRPC status that the request is aborted with, if it is.
pub(super) fn abort_of(cx: &mut Cx<'_>, settings: &FaultSettings) -> Option<(u16, Option<u32>)> {
    let abort = settings.abort.as_ref()?;
    let headers = cx.request_headers();
    let share = abort.share(headers);
    let (http, grpc) = (abort.http_status(headers), abort.grpc_status(headers));
    let flags = cx.worker().flags();
    let runtime = RuntimeView::new(cx, &flags);
    let keys = &settings.keys;
    if !runtime.is_drawn(&keys.abort_percent, "abort.abort_percent", share) {
        return None;
    }
    // Runtime changes a status that is configured, and adds none. An HTTP status goes before a gRPC
    // status, where headers give both.
    if let Some(status) = http {
        let key = &keys.abort_http_status;
        let status = runtime.integer(key, "abort.http_status", status.into());
        let status = u16::try_from(status).ok();
        return Some((status.filter(|status| (200..600).contains(status))?, None));
    }
    let status = runtime.integer(&keys.abort_grpc_status, "abort.grpc_status", grpc?.into());
    Some((200, u32::try_from(status).ok()))
}
