//! What an attempt asks of the cluster: a host that suits the request, and a connection to it.

use crate::retry_priority::PreviousPriorities;
use crate::upstream_stream::UpstreamRequest;
use nuncio_base::metadata::MetadataKey;
use nuncio_base::metadata::{Fields, Metadata, Value};
use nuncio_base::{HeaderMap, names};
use nuncio_http::chain::StreamState;
use nuncio_http::route_cache::RouteCache;
use nuncio_route::hash_policy::HashPolicy;
use nuncio_route::request::is_connect_udp;
use nuncio_route::request_hash::request_hash;
use nuncio_route::retry_policy::{RetryHostPredicate, RetryPriority};
use nuncio_route::{RetryPolicy, RouteAction};
use nuncio_stream_info::StreamInfo;
use nuncio_upstream::{Host, LbRequest, LocalCluster, Priority, PriorityLoad, PrioritySet};
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

/// What a balancer may ask of a request.
pub(crate) struct HostRequest<'a> {
    pub headers: &'a HeaderMap,
    /// What a retry asks of hosts; `None` for the first attempt.
    pub retry: Option<&'a RetryPolicy>,
    pub tried: &'a [u64],
    pub priorities: &'a RefCell<PreviousPriorities>,
    pub info: &'a StreamInfo,
    pub route: &'a RouteCache,
    /// What the route hashes requests by.
    pub hash_policies: &'a [HashPolicy],
    /// `set-cookie` headers for the cookies that were made to be hashed by.
    pub set_cookies: RefCell<Vec<Vec<u8>>>,
    /// What the balancer wants to be known of the request.
    pub notes: RefCell<Metadata>,
}

impl LbRequest for HostRequest<'_> {
    fn hash(&self) -> Option<u64> {
        let mut set_cookie = |cookie| self.set_cookies.borrow_mut().push(cookie);
        request_hash(self.hash_policies, self.headers, self.info, &mut set_cookie)
    }

    fn stream_info(&self) -> Option<&StreamInfo> {
        Some(self.info)
    }

    fn headers(&self) -> Option<&HeaderMap> {
        Some(self.headers)
    }

    fn metadata_match(&self) -> Option<Cow<'_, Fields>> {
        let connection = self.info.connection.metadata.borrow();
        let dynamic = [lb_fields(&connection), lb_fields(&self.info.metadata)];
        let weighted = self.route.selected().and_then(|route| route.weighted);
        let route = match weighted {
            Some(weighted) => weighted.metadata_match.as_deref(),
            None => self
                .route
                .action()
                .and_then(|it| it.metadata_match.as_deref()),
        };
        if dynamic.iter().all(Option::is_none) {
            return route.map(Cow::Borrowed);
        }
        let mut merged = route.cloned().unwrap_or_default();
        for fields in dynamic.into_iter().flatten() {
            let fields = fields.iter();
            merged.extend(fields.map(|(name, value)| (name.clone(), value.clone())));
        }
        Some(Cow::Owned(merged))
    }

    fn note(&self, key: &MetadataKey, text: String) {
        key.set_text(&mut self.notes.borrow_mut(), &text);
    }

    fn refuses(&self, host: &Host) -> bool {
        let Some(retry) = self.retry else {
            return false;
        };
        retry
            .host_predicates
            .iter()
            .any(|predicate| match predicate {
                RetryHostPredicate::PreviousHosts => self.tried.contains(&host.id()),
                RetryHostPredicate::OmitCanaryHosts => host.canary(),
                RetryHostPredicate::OmitHostMetadata(wanted) => has_metadata(host, wanted),
            })
    }

    fn priority_load<'a>(&self, hosts: &'a PrioritySet) -> Cow<'a, PriorityLoad> {
        match self.retry.and_then(|retry| retry.priority) {
            None => Cow::Borrowed(hosts.load()),
            Some(RetryPriority::PreviousPriorities { update_frequency }) => {
                self.priorities.borrow_mut().load(hosts, update_frequency)
            }
        }
    }

    fn host_selection_retries(&self) -> u32 {
        self.retry
            .map_or(1, |retry| retry.host_selection_max_attempts)
    }
}

fn lb_fields(metadata: &Metadata) -> Option<&Fields> {
    match metadata.get("envoy.lb") {
        Some(Value::Struct(fields)) => Some(fields),
        _ => None,
    }
}

/// Whether a host has all of the `envoy.lb` metadata; nothing asked for is had by no host.
fn has_metadata(host: &Host, wanted: &Metadata) -> bool {
    let has = host
        .metadata()
        .and_then(|metadata| metadata.get("envoy.lb"));
    match (wanted.get("envoy.lb"), has) {
        (Some(Value::Struct(wanted)), Some(Value::Struct(has))) => {
            !wanted.is_empty()
                && wanted
                    .iter()
                    .all(|(key, value)| has.get(key) == Some(value))
        }
        _ => false,
    }
}

pub(crate) const fn priority_of(action: &RouteAction) -> Priority {
    match action.priority {
        nuncio_route::Priority::Default => Priority::Default,
        nuncio_route::Priority::High => Priority::High,
    }
}

/// Asks for a connection: of HTTP, or of TCP or UDP for the payload of a CONNECT that ends here.
pub(crate) fn ask_pool(
    cluster: &LocalCluster,
    host: &Arc<Host>,
    priority: Priority,
    state: &StreamState,
) -> UpstreamRequest {
    let action = state.route.action();
    // Most routes end nothing: their requests are not asked what they are.
    let ends = action.filter(|action| action.ends_any_connect());
    let is = |of: fn(&RouteAction, &HeaderMap) -> bool| {
        ends.is_some_and(|action| of(action, &state.request.headers))
    };
    if is(|_, headers| is_connect_udp(headers)) {
        UpstreamRequest::Udp(cluster.udp_stream(host).map(Box::new))
    } else if is(|action, headers| {
        action.ends_connect(headers.get(names::METHOD).unwrap_or_default())
    }) {
        UpstreamRequest::Tcp(cluster.tcp_connection(host, priority, &state.info))
    } else {
        let headers = &state.request.headers;
        UpstreamRequest::Http(cluster.request_stream(host, priority, headers, &state.info))
    }
}
