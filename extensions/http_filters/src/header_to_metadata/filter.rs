//! The filter on one stream.

use super::rule::{KeyValue, Made, Rule, Selector};
use nuncio_base::HeaderMap;
use nuncio_base::metadata::{Metadata, Value};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::{Cx, HeadersStatus, Hooks, HttpFilter};
use nuncio_stats::{Group, stat_group};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

stat_group! {
    /// `http_filter_name.<stat_prefix>.*`, where the configuration has a prefix.
    pub struct HeaderToMetadataStats {
        counters {
            base64_decode_failed,
            header_value_too_long,
            regex_substitution_failed,
            request_header_not_found,
            request_metadata_added,
            request_rules_processed,
            response_header_not_found,
            response_metadata_added,
            response_rules_processed,
        }
    }
}

/// The rules of the filter, or of a route.
#[derive(Debug)]
pub struct Rules {
    /// Those of requests.
    pub request: Vec<Rule>,
    /// Those of responses.
    pub response: Vec<Rule>,
}

/// The filter's configuration.
pub struct HeaderToMetadataSpec {
    /// The rules.
    pub rules: Arc<Rules>,
    /// What is counted, if anything is.
    pub stats: Option<Group<HeaderToMetadataStats>>,
}

impl HttpFilterSpec for HeaderToMetadataSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(HeaderToMetadataLocal {
            rules: Arc::clone(&self.rules),
            stats: self.stats.as_ref().map(Group::local),
        })))
    }
}

struct HeaderToMetadataLocal {
    rules: Arc<Rules>,
    stats: Option<HeaderToMetadataStats>,
}

impl HttpFilterFactory for HeaderToMetadataLocal {
    type Filter = HeaderToMetadataFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST_HEADERS.and(Hooks::RESPONSE_HEADERS)
    }

    fn create(self: &Rc<Self>) -> HeaderToMetadataFilter {
        HeaderToMetadataFilter(Rc::clone(self))
    }
}

/// The filter.
pub struct HeaderToMetadataFilter(Rc<HeaderToMetadataLocal>);

/// What came of the rules of one message.
#[derive(Default)]
struct Tally {
    processed: u64,
    added: u64,
    not_found: u64,
    no_base64: u64,
    too_long: u64,
    by_regex: u64,
}

impl Tally {
    fn apply(&mut self, rules: &[Rule], headers: &mut HeaderMap, metadata: &mut Metadata) {
        for rule in rules {
            self.processed += 1;
            let found = rule.selector.extract(headers);
            match (found, &rule.present, &rule.missing) {
                (Some(found), Some(set), _) => self.set(set, found, metadata),
                (None, _, Some(set)) => {
                    self.not_found += 1;
                    self.set(set, Vec::new(), metadata);
                }
                _ => {}
            }
            if let Selector::Header(name) = &rule.selector
                && rule.remove
            {
                headers.remove(name);
            }
        }
    }

    fn set(&mut self, set: &KeyValue, found: Vec<u8>, metadata: &mut Metadata) {
        match set.make(found) {
            Made::Value(value) => {
                self.added += 1;
                let fields = [(set.key.clone(), value)].into();
                metadata.merge(&set.namespace, &Value::Struct(Arc::new(fields)));
            }
            Made::EmptyByRegex => self.by_regex += 1,
            Made::TooLong => self.too_long += 1,
            Made::NoBase64 => self.no_base64 += 1,
            Made::Empty | Made::NoValue => {}
        }
    }
}

impl HeaderToMetadataFilter {
    fn rules(&self, cx: &mut Cx<'_>) -> Arc<Rules> {
        let of_route = cx.route_spec::<Rules>();
        of_route.unwrap_or_else(|| Arc::clone(&self.0.rules))
    }

    /// Counts what came of the filter's own rules; those of routes are not counted.
    fn count(&self, rules: &Arc<Rules>, tally: &Tally) -> Option<&HeaderToMetadataStats> {
        let stats = self.0.stats.as_ref();
        let stats = stats.filter(|_| Arc::ptr_eq(rules, &self.0.rules))?;
        stats.base64_decode_failed().add(tally.no_base64);
        stats.header_value_too_long().add(tally.too_long);
        stats.regex_substitution_failed().add(tally.by_regex);
        Some(stats)
    }
}

impl HttpFilter for HeaderToMetadataFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let rules = self.rules(cx);
        let mut tally = Tally::default();
        let (headers, info) = cx.request_and_info();
        tally.apply(&rules.request, headers, &mut info.metadata);
        if let Some(stats) = self.count(&rules, &tally) {
            stats.request_rules_processed().add(tally.processed);
            stats.request_metadata_added().add(tally.added);
            stats.request_header_not_found().add(tally.not_found);
        }
        HeadersStatus::Continue
    }

    fn response_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let rules = self.rules(cx);
        if rules.response.is_empty() {
            return HeadersStatus::Continue;
        }
        let mut tally = Tally::default();
        let state = cx.state();
        let metadata = &mut state.info.metadata;
        tally.apply(&rules.response, &mut state.response.headers, metadata);
        if let Some(stats) = self.count(&rules, &tally) {
            stats.response_rules_processed().add(tally.processed);
            stats.response_metadata_added().add(tally.added);
            stats.response_header_not_found().add(tally.not_found);
        }
        HeadersStatus::Continue
    }
}
