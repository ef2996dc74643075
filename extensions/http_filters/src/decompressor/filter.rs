//! The filter on one stream.

use super::settings::{DirectionSettings, DirectionStats, LibraryStats, Settings};
use super::work::Work;
use crate::content_coding::forbids_transform;
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::{End, ResetReason};
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::{Cx, DataStatus, Direction, HeadersStatus, Hooks, HttpFilter, TrailersStatus};
use nuncio_worker::Worker;
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

/// When it is looked again whether what is made can be sent on: whoever takes it more slowly does
/// not always wake this filter.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The filter's configuration.
pub struct DecompressorSpec(pub Arc<Settings>);

impl HttpFilterSpec for DecompressorSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        let settings = &self.0;
        Rc::new(Local(Rc::new(DecompressorLocal {
            request_stats: settings.request.stats.local(),
            response_stats: settings.response.stats.local(),
            library_stats: OnceCell::new(),
            chunk: RefCell::new(vec![0; settings.library.chunk_size].into_boxed_slice()),
            settings: Arc::clone(settings),
        })))
    }
}

/// The filter on one worker.
pub struct DecompressorLocal {
    pub(super) settings: Arc<Settings>,
    request_stats: DirectionStats,
    response_stats: DirectionStats,
    /// As in Envoy there are none before the first body.
    library_stats: OnceCell<LibraryStats>,
    /// The room for what the library makes.
    pub(super) chunk: RefCell<Box<[u8]>>,
}

impl DecompressorLocal {
    pub(super) fn library_stats(&self) -> &LibraryStats {
        let settings = &self.settings;
        let make = || LibraryStats::new(settings.library.codec, &settings.library_scope);
        self.library_stats.get_or_init(make)
    }

    fn stats(&self, direction: Direction) -> &DirectionStats {
        match direction {
            Direction::Request => &self.request_stats,
            Direction::Response => &self.response_stats,
        }
    }
}

impl HttpFilterFactory for DecompressorLocal {
    type Filter = DecompressorFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST.and(Hooks::RESPONSE).and(Hooks::POLL)
    }

    fn create(self: &Rc<Self>) -> DecompressorFilter {
        DecompressorFilter {
            local: Rc::clone(self),
            request: None,
            response: None,
        }
    }
}

/// The filter.
pub struct DecompressorFilter {
    local: Rc<DecompressorLocal>,
    request: Option<Box<Work>>,
    response: Option<Box<Work>>,
}

/// Takes the coding off a message's head; whether it was there and may be taken off.
fn uncode(headers: &mut HeaderMap, coding: &str, settings: &DirectionSettings) -> bool {
    let Some(codings) = headers.get_str(names::CONTENT_ENCODING) else {
        return false;
    };
    let (first, rest) = match codings.split_once(',') {
        Some((first, rest)) => (first, Some(rest.trim())),
        None => (codings, None),
    };
    if !first.trim().eq_ignore_ascii_case(coding)
        || (forbids_transform(headers) && !settings.ignore_no_transform)
    {
        return false;
    }
    match rest.map(str::to_owned) {
        Some(rest) => headers.set(names::CONTENT_ENCODING, rest.as_bytes()),
        None => {
            headers.remove(names::CONTENT_ENCODING);
        }
    }
    headers.remove(names::CONTENT_LENGTH);
    true
}

/// Tells upstreams to take a coding before all others.
fn advertise(headers: &mut HeaderMap, coding: &str) {
    let accept = headers.get_str(names::ACCEPT_ENCODING).unwrap_or_default();
    let others = accept.split(',').filter(|one| {
        let name = one.split(';').next().unwrap_or_default();
        !one.trim().is_empty() && name.trim() != coding
    });
    let mut all = String::with_capacity(accept.len() + 1 + coding.len());
    for other in others {
        all.push_str(other.trim());
        all.push(',');
    }
    all.push_str(coding);
    headers.set(names::ACCEPT_ENCODING, all.as_bytes());
}

impl DecompressorFilter {
    fn work(&mut self, direction: Direction) -> &mut Option<Box<Work>> {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    /// Looks at a message's head, and begins its body.
    fn begin(&mut self, cx: &mut Cx<'_>, direction: Direction) {
        let local = Rc::clone(&self.local);
        let (settings, flags) = (&local.settings, cx.worker().flags());
        let state = cx.state();
        let (of_direction, headers) = match direction {
            Direction::Request => (&settings.request, &mut state.request.headers),
            Direction::Response => (&settings.response, &mut state.response.headers),
        };
        let stats = local.stats(direction);
        let decompress = of_direction.enabled.current(&flags)
            && uncode(headers, settings.library.coding(), of_direction);
        if !decompress {
            return stats.not_decompressed().inc();
        }
        stats.decompressed().inc();
        // They are there from now on.
        local.library_stats();
        match settings.library.decoder() {
            Some(decoder) => *self.work(direction) = Some(Box::new(Work::new(decoder))),
            None => cx.reset(ResetReason::LocalReset),
        }
    }

    fn data(
        &mut self,
        cx: &mut Cx<'_>,
        direction: Direction,
        data: &mut Buffer,
        end: End,
    ) -> DataStatus {
        let local = Rc::clone(&self.local);
        let stats = local.stats(direction);
        let Some(work) = self.work(direction) else {
            return DataStatus::Continue;
        };
        let was_behind = work.is_behind();
        work.take(data, stats);
        work.end |= end.is_end();
        if was_behind {
            return DataStatus::StopIterationNoBuffer;
        }
        let made = work.step(&local, stats);
        if work.is_behind() {
            work.holding = true;
            cx.push_back(direction, true);
            cx.inject_data(direction, made, End::No);
            return DataStatus::StopIterationNoBuffer;
        }
        if work.end {
            work.tell(&local, cx.add_trailers(direction));
        }
        *data = made;
        DataStatus::Continue
    }

    fn trailers(&mut self, cx: &mut Cx<'_>, direction: Direction) -> TrailersStatus {
        let local = Rc::clone(&self.local);
        let Some(work) = self.work(direction) else {
            return TrailersStatus::Continue;
        };
        if work.is_behind() {
            work.trailers = true;
            return TrailersStatus::StopIteration;
        }
        work.tell(&local, cx.add_trailers(direction));
        TrailersStatus::Continue
    }

    /// Goes on with what is left of a body, unless what was made of it waits already.
    fn go_on(&mut self, cx: &mut Cx<'_>, direction: Direction, task: &mut Context<'_>) {
        let local = Rc::clone(&self.local);
        let Some(work) = self.work(direction) else {
            return;
        };
        if !work.is_behind() {
            return;
        }
        // Of those that hold the sender back only others count, and while one does this one need
        // not: two that are behind would else wait for each other.
        if std::mem::take(&mut work.holding) {
            cx.push_back(direction, false);
        }
        let is_paused = match direction {
            Direction::Request => cx.state().request.paused(),
            Direction::Response => cx.response_paused(),
        };
        if is_paused {
            let at = cx.worker().now() + LOOK_AGAIN;
            return cx.wake_at(at);
        }
        let made = work.step(&local, local.stats(direction));
        if work.is_behind() {
            work.holding = true;
            cx.push_back(direction, true);
            cx.inject_data(direction, made, End::No);
            return task.waker().wake_by_ref();
        }
        if work.end || work.trailers {
            work.tell(&local, cx.add_trailers(direction));
        }
        if work.end || !made.is_empty() {
            cx.inject_data(direction, made, End::when(work.end));
        }
        match direction {
            _ if !work.trailers => {}
            Direction::Request => cx.resume_request(),
            Direction::Response => cx.resume_response(),
        }
    }
}

impl HttpFilter for DecompressorFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        let settings = Arc::clone(&self.local.settings);
        let flags = cx.worker().flags();
        if settings.advertise && settings.response.enabled.current(&flags) {
            advertise(cx.request_headers(), settings.library.coding());
        }
        if !end.is_end() {
            self.begin(cx, Direction::Request);
        }
        HeadersStatus::Continue
    }

    fn request_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        self.data(cx, Direction::Request, data, end)
    }

    fn request_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        self.trailers(cx, Direction::Request)
    }

    fn response_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        if !end.is_end() {
            self.begin(cx, Direction::Response);
        }
        HeadersStatus::Continue
    }

    fn response_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        self.data(cx, Direction::Response, data, end)
    }

    fn response_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        self.trailers(cx, Direction::Response)
    }

    fn poll(&mut self, cx: &mut Cx<'_>, task: &mut Context<'_>) {
        self.go_on(cx, Direction::Request, task);
        self.go_on(cx, Direction::Response, task);
    }
}
