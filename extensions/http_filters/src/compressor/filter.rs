//! The filter on one stream.

use super::accept::{Choice, choose};
use super::encoder::Encoder;
use super::settings::{CommonStats, CompressorRouteSpec, ResponseStats, Settings};
use crate::content_coding::forbids_transform;
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::{End, ResetReason};
use nuncio_http::chain::StreamState;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::opaque::{is_connect, is_upgrade, opens};
use nuncio_http::{Cx, DataStatus, HeadersStatus, Hooks, HttpFilter, TrailersStatus};
use nuncio_stream_info::{FilterStateObject, LifeSpan};
use nuncio_worker::Worker;
use std::any::Any;
use std::cell::RefCell;
use std::io;
use std::iter;
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
            asked: Asked::Nothing,
            request: None,
            response: None,
        }
    }
}

/// The compressors of a stream's chain, in its order, where there may be several.
struct Registry {
    /// What the client takes.
    accept: Box<str>,
    all: RefCell<Vec<Rc<CompressorLocal>>>,
}

impl FilterStateObject for Registry {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What the client said of codings, as far as it counts for a compressor.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Nothing.
    Nothing,
    /// What was chosen of the one there is.
    OfOne(Choice),
    /// Something that the chain's compressors look at together.
    OfSeveral,
}

/// The filter.
pub struct CompressorFilter {
    local: Rc<CompressorLocal>,
    asked: Asked,
    request: Option<Encoder>,
    response: Option<Encoder>,
}

impl CompressorFilter {
    /// Looks at what the client takes; lets the compressors of the chain know of this one if it is
    /// `enabled`.
    fn ask(&mut self, cx: &mut Cx<'_>, enabled: bool) {
        let settings = &self.local.settings;
        let (headers, info) = cx.request_and_info();
        let accept = headers.get_str(names::ACCEPT_ENCODING);
        if settings.alone {
            let of_one = |accept| choose(accept, iter::once(settings.candidate()));
            self.asked = accept.map_or(Asked::Nothing, |accept| Asked::OfOne(of_one(accept)));
            return;
        }
        if accept.is_some() {
            self.asked = Asked::OfSeveral;
        }
        if !enabled {
            return;
        }
        let state = &mut info.filter_state;
        match (state.get_as::<Registry>(COMPRESSORS), accept) {
            (Some(all), _) => all.all.borrow_mut().push(Rc::clone(&self.local)),
            (None, Some(accept)) => {
                let registry = Registry {
                    accept: accept.into(),
                    all: RefCell::new(vec![Rc::clone(&self.local)]),
                };
                state.set(COMPRESSORS, LifeSpan::FilterChain, Rc::new(registry));
            }
            (None, None) => {}
        }
    }

    /// What the client's wishes come to for a response; `None` where it has said none.
    fn choice(&self, state: &StreamState) -> Option<Choice> {
        let headers = &state.response.headers;
        match self.asked {
            Asked::Nothing => None,
            Asked::OfOne(choice) => match self.local.settings.response.takes_type(headers) {
                true => Some(choice),
                false => Some(Choice::NotValid),
            },
            Asked::OfSeveral => {
                let registry = state.info.filter_state.get_as::<Registry>(COMPRESSORS);
                let Some(registry) = registry else {
                    return Some(Choice::NotValid);
                };
                let all = registry.all.borrow();
                let all = all.iter().map(|local| &local.settings);
                let of_type = all.filter(|one| one.response.takes_type(headers));
                let candidates = of_type.map(|one| one.candidate());
                Some(choose(&registry.accept, candidates))
            }
        }
    }

    /// Whether the client wants this compressor; counted.
    fn is_accepted(&self, state: &StreamState) -> bool {
        let stats = &self.local.header_stats;
        let choice = self.choice(state);
        let coding = choice.and_then(Choice::coding);
        let is_mine = coding == Some(self.local.settings.library.coding());
        match choice {
            None => stats.no_accept_header().inc(),
            Some(Choice::Named(_)) if is_mine => stats.header_compressor_used().inc(),
            Some(Choice::Named(_)) => stats.header_compressor_overshadowed().inc(),
            Some(Choice::Any(_)) => stats.header_wildcard().inc(),
            Some(Choice::Identity) => stats.header_identity().inc(),
            Some(Choice::NotValid) => stats.header_not_valid().inc(),
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
    let mut out = Buffer::new();
    while let Some(piece) = data.pop() {
        encoder.write(&piece, &mut out)?;
    }
    match end {
        true => encoder.finish(&mut out)?,
        false => {
            encoder.flush(&mut out)?;
            *slot = Some(encoder);
        }
    }
    stats.total_compressed_bytes().add(out.len() as u64);
    *data = out;
    Ok(())
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
        let local = Rc::clone(&self.local);
        let settings = &local.settings;
        let responses = route.response;
        let responses = responses.unwrap_or_else(|| settings.response.is_enabled(&flags));
        self.ask(cx, responses);
        if responses {
            let removes = route.remove_accept_encoding;
            if removes.unwrap_or(settings.of_response.remove_accept_encoding) {
                cx.request_headers().remove(names::ACCEPT_ENCODING);
            }
        }
        let request = &settings.request;
        let headers = cx.request_headers();
        let stats = &local.request_stats;
        let compress = !end.is_end()
            && request.is_enabled(&flags)
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
        let of_route = route.and_then(|route| route.response);
        let flags = cx.worker().flags();
        let local = Rc::clone(&self.local);
        let settings = &local.settings;
        let stats = &local.response_stats;
        let state = cx.state();
        let (request, headers) = (&state.request.headers, &state.response.headers);
        let enabled = of_route.unwrap_or_else(|| settings.response.is_enabled(&flags))
            && settings.response.is_long_enough(headers, stats);
        let compressible = enabled && !opens(request, headers) && self.is_compressible(headers);
        let compress = !end.is_end() && enabled && self.is_accepted(state) && compressible;
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
