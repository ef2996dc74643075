//! The filter on one stream.

use super::accept::{Candidate, Choice, choose};
use super::encoder::Encoder;
use super::settings::{CommonStats, CompressorRouteSpec, ResponseStats, Settings};
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::{End, ResetReason};
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::opaque::{is_connect, is_upgrade, opens};
use nuncio_http::{Cx, DataStatus, HeadersStatus, Hooks, HttpFilter, TrailersStatus};
use nuncio_stream_info::{FilterStateObject, LifeSpan};
use nuncio_worker::Worker;
use std::any::Any;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// The filter state with the compressors of a stream's chain.
const COMPRESSORS: &str = "envoy.filters.http.compressor.registry";

/// The filter's configuration.
pub struct CompressorSpec(pub Arc<Settings>);

impl HttpFilterSpec for CompressorSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(CompressorLocal {
            request_stats: self.0.request.stats.local(),
            response_stats: self.0.response.stats.local(),
            header_stats: self.0.of_response.stats.local(),
            settings: Arc::clone(&self.0),
        })))
    }
}

/// The filter on one worker.
pub struct CompressorLocal {
    settings: Arc<Settings>,
    request_stats: CommonStats,
    response_stats: CommonStats,
    header_stats: ResponseStats,
}

impl HttpFilterFactory for CompressorLocal {
    type Filter = CompressorFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST.and(Hooks::RESPONSE)
    }

    fn create(self: &Rc<Self>) -> CompressorFilter {
        CompressorFilter {
            local: Rc::clone(self),
            accept: None,
            request: None,
            response: None,
        }
    }
}

/// The compressors of a stream's chain, in its order.
#[derive(Default)]
struct Registry(RefCell<Vec<Arc<Settings>>>);

impl FilterStateObject for Registry {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The filter.
pub struct CompressorFilter {
    local: Rc<CompressorLocal>,
    /// What the client takes.
    accept: Option<String>,
    request: Option<Encoder>,
    response: Option<Encoder>,
}

impl CompressorFilter {
    /// Lets the compressors of the chain know of this one.
    fn register(&self, cx: &mut Cx<'_>) {
        let state = &mut cx.info().filter_state;
        if state.get_as::<Registry>(COMPRESSORS).is_none() {
            state.set(
                COMPRESSORS,
                LifeSpan::FilterChain,
                Rc::<Registry>::default(),
            );
        }
        if let Some(all) = state.get_as::<Registry>(COMPRESSORS) {
            all.0.borrow_mut().push(Arc::clone(&self.local.settings));
        }
    }

    /// Whether the client wants this compressor; counted. `wanted`: but for that it would be used.
    fn is_accepted(&self, cx: &mut Cx<'_>, wanted: bool) -> bool {
        let stats = &self.local.header_stats;
        let Some(accept) = &self.accept else {
            if wanted {
                stats.no_accept_header().inc();
            }
            return false;
        };
        let state = cx.state();
        let headers = &state.response.headers;
        let registry = state.info.filter_state.get_as::<Registry>(COMPRESSORS);
        let candidates: Vec<Candidate> = registry.map_or_else(Vec::new, |registry| {
            let all = registry.0.borrow();
            let of_type = all.iter().filter(|one| one.response.takes_type(headers));
            let candidate = |one: &Arc<Settings>| Candidate {
                coding: one.library.coding(),
                choose_first: one.choose_first,
            };
            of_type.map(candidate).collect()
        });
        let choice = choose(accept, &candidates);
        let is_mine = choice.coding() == Some(self.local.settings.library.coding());
        match choice {
            Choice::Named(_) if is_mine => stats.header_compressor_used().inc(),
            Choice::Named(_) => stats.header_compressor_overshadowed().inc(),
            Choice::Any(_) => stats.header_wildcard().inc(),
            Choice::Identity => stats.header_identity().inc(),
            Choice::NotValid => stats.header_not_valid().inc(),
        }
        is_mine
    }

    /// Whether a response may be compressed, for all that its own headers say.
    fn is_compressible(&self, headers: &HeaderMap) -> bool {
        let settings = &self.local.settings;
        let of_response = &settings.of_response;
        let status = headers.get_str(names::STATUS);
        let status: u16 = status.and_then(|status| status.parse().ok()).unwrap_or(0);
        let etag = of_response.disable_on_etag && headers.contains(names::ETAG);
        let may = settings.response.takes_type(headers) && !forbids_transform(headers);
        if may && etag {
            self.local.header_stats.not_compressed_etag().inc();
        }
        may && !etag
            && !of_response.uncompressible.contains(&status)
            && !headers.contains(names::CONTENT_ENCODING)
    }

    fn begin(&self, cx: &mut Cx<'_>) -> Option<Encoder> {
        match self.local.settings.library.encoder() {
            Ok(encoder) => Some(encoder),
            Err(_) => {
                cx.reset(ResetReason::LocalReset);
                None
            }
        }
    }
}

/// Puts a piece through an encoder, in place.
fn encode(
    slot: &mut Option<Encoder>,
    data: &mut Buffer,
    end: bool,
    stats: &CommonStats,
) -> io::Result<()> {
    let Some(mut encoder) = slot.take() else {
        return Ok(());
    };
    stats.total_uncompressed_bytes().add(data.len() as u64);
    while let Some(piece) = data.pop() {
        encoder.write(&piece)?;
    }
    let out = match end {
        true => encoder.finish()?,
        false => {
            let out = encoder.flush()?;
            *slot = Some(encoder);
            out
        }
    };
    stats.total_compressed_bytes().add(out.len() as u64);
    *data = Buffer::from(out);
    Ok(())
}

fn has_token(value: &str, token: &str) -> bool {
    let mut tokens = value.split(',').map(str::trim);
    tokens.any(|one| one.eq_ignore_ascii_case(token))
}

fn forbids_transform(headers: &HeaderMap) -> bool {
    let control = headers.get_str("cache-control");
    control.is_some_and(|control| has_token(control, "no-transform"))
}

/// A strong `etag` names these very bytes, which the client will not get.
fn sanitize_etag(headers: &mut HeaderMap, weaken: bool) {
    let Some(etag) = headers.get_str(names::ETAG) else {
        return;
    };
    if etag.starts_with("W/") || etag.starts_with("w/") {
        return;
    }
    match weaken {
        true => {
            let weak = format!("W/{etag}");
            headers.set(names::ETAG, weak.as_bytes());
        }
        false => {
            headers.remove(names::ETAG);
        }
    }
}

/// Tells caches that the response depends on what the client takes.
fn vary(headers: &mut HeaderMap) {
    const NAME: &str = "Accept-Encoding";
    let value = match headers.get_str(names::VARY) {
        None | Some("") => NAME.to_owned(),
        Some(vary) if vary.split(',').any(|one| one.trim() == NAME) => return,
        Some(vary) => format!("{vary}, {NAME}"),
    };
    headers.set(names::VARY, value.as_bytes());
}

impl HttpFilter for CompressorFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        let route = cx.route_spec::<CompressorRouteSpec>();
        let route = route.as_deref().copied().unwrap_or_default();
        let flags = cx.worker().flags();
        let settings = Arc::clone(&self.local.settings);
        self.accept = cx
            .request_headers()
            .get_str(names::ACCEPT_ENCODING)
            .map(str::to_owned);
        if settings.response.is_enabled(&flags) && !route.disabled {
            let of_response = &settings.of_response;
            let removes = route.remove_accept_encoding;
            if removes.unwrap_or(of_response.remove_accept_encoding) {
                cx.request_headers().remove(names::ACCEPT_ENCODING);
            }
            self.register(cx);
        }
        let request = &settings.request;
        let headers = cx.request_headers();
        let stats = &self.local.request_stats;
        let compress = !end.is_end()
            && request.is_enabled(&flags)
            && !route.disabled
            && request.is_long_enough(headers, stats)
            && request.takes_type(headers)
            && !headers.contains(names::CONTENT_ENCODING)
            && !is_upgrade(headers)
            && !is_connect(headers);
        if !compress {
            stats.not_compressed().inc();
            return HeadersStatus::Continue;
        }
        stats.compressed().inc();
        headers.remove(names::CONTENT_LENGTH);
        headers.set(
            names::CONTENT_ENCODING,
            settings.library.coding().as_bytes(),
        );
        self.request = self.begin(cx);
        HeadersStatus::Continue
    }

    fn request_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        let stats = &self.local.request_stats;
        if encode(&mut self.request, data, end.is_end(), stats).is_err() {
            cx.reset(ResetReason::LocalReset);
        }
        DataStatus::Continue
    }

    fn request_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        let mut rest = Buffer::new();
        let stats = &self.local.request_stats;
        match encode(&mut self.request, &mut rest, true, stats) {
            Ok(()) if rest.is_empty() => {}
            Ok(()) => cx.add_data(rest),
            Err(_) => cx.reset(ResetReason::LocalReset),
        }
        TrailersStatus::Continue
    }

    fn response_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        let route = cx.route_spec::<CompressorRouteSpec>();
        let disabled = route.is_some_and(|route| route.disabled);
        let flags = cx.worker().flags();
        let settings = Arc::clone(&self.local.settings);
        let stats = &self.local.response_stats;
        let state = cx.state();
        let (request, headers) = (&state.request.headers, &state.response.headers);
        let enabled = !disabled
            && settings.response.is_enabled(&flags)
            && settings.response.is_long_enough(headers, stats);
        let compressible = enabled && !opens(request, headers) && self.is_compressible(headers);
        let compress =
            !end.is_end() && enabled && self.is_accepted(cx, compressible) && compressible;
        let headers = &mut cx.state().response.headers;
        if compress {
            stats.compressed().inc();
            sanitize_etag(headers, settings.of_response.weaken_etag);
            headers.remove(names::CONTENT_LENGTH);
            headers.set(
                names::CONTENT_ENCODING,
                settings.library.coding().as_bytes(),
            );
        } else {
            stats.not_compressed().inc();
        }
        if compressible {
            vary(headers);
        }
        if compress {
            self.response = self.begin(cx);
        }
        HeadersStatus::Continue
    }

    fn response_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        let stats = &self.local.response_stats;
        if encode(&mut self.response, data, end.is_end(), stats).is_err() {
            cx.reset(ResetReason::LocalReset);
        }
        DataStatus::Continue
    }

    fn response_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        let mut rest = Buffer::new();
        let stats = &self.local.response_stats;
        match encode(&mut self.response, &mut rest, true, stats) {
            Ok(()) if rest.is_empty() => {}
            Ok(()) => cx.add_data(rest),
            Err(_) => cx.reset(ResetReason::LocalReset),
        }
        TrailersStatus::Continue
    }
}
