//! What the filters of rate limits count a request by: the descriptors of its route, of its
//! virtual host, or of the filter itself.

use nuncio_http::Cx;
use nuncio_http::format_cx::with_headers;
use nuncio_observe::Formatter;
use nuncio_route::RateLimit;
use nuncio_route::rate_limit::{Descriptor, RateLimitFacts, descriptors};
use nuncio_upstream::ClusterManager;
use std::rc::Rc;

/// Whose rate limits a filter asks for besides the route's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum VhRateLimits {
    /// The virtual host's where the route has none.
    #[default]
    Override,
    /// The virtual host's too.
    Include,
    /// No others.
    Ignore,
}

/// The descriptors of a request: of `own`, where the filter has rate limits of its own, else of
/// the route's of `stage`.
pub(crate) fn of_request(
    cx: &mut Cx<'_>,
    own: &[RateLimit],
    stage: u32,
    virtual_host: VhRateLimits,
) -> Vec<Descriptor> {
    let mut found = Vec::new();
    cx.lookup_route();
    let worker = Rc::clone(cx.worker());
    let state = cx.state();
    let selected = state.route.selected();
    let headers = &state.request.headers;
    let info = &state.info;
    let cluster = selected.and_then(|selected| {
        let name = std::str::from_utf8(selected.cluster_name(headers)?).ok()?;
        ClusterManager::of(&worker).get(name)
    });
    let format = |formatter: &Formatter, out: &mut Vec<u8>| {
        with_headers(&worker, info, Some(headers), None, |cx| {
            formatter.append(cx, out);
        });
    };
    let flags = worker.flags();
    let facts = RateLimitFacts {
        headers,
        info,
        selected,
        cluster_metadata: cluster
            .as_ref()
            .and_then(|cluster| cluster.spec().metadata.as_deref()),
        flags: &flags,
        format: &format,
    };
    if !own.is_empty() {
        let at_once = own.iter().filter(|limit| !limit.on_stream_done);
        descriptors(at_once, stage, &facts, &mut found);
        return found;
    }
    let Some((selected, action)) = selected.and_then(|one| Some((one, one.action()?))) else {
        return found;
    };
    descriptors(&action.rate_limits, stage, &facts, &mut found);
    let include = action.include_vh_rate_limits
        || match virtual_host {
            VhRateLimits::Override => action.rate_limits.is_empty(),
            VhRateLimits::Include => true,
            VhRateLimits::Ignore => false,
        };
    if include {
        let of_host = &selected.virtual_host.rate_limits;
        descriptors(of_host, stage, &facts, &mut found);
    }
    found
}
