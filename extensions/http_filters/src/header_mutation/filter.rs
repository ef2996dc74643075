//! The filter on one stream.

use super::query::QueryMutations;
use nuncio_base::{HeaderMap, names};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::format_cx::with_headers;
use nuncio_http::{Cx, Direction, HeadersStatus, Hooks, HttpFilter, TrailersStatus};
use nuncio_observe::Formatter;
use nuncio_route::MutationSteps;
use nuncio_worker::Worker;
use nuncio_worker::local_slot::LocalSlot;
use std::rc::Rc;
use std::sync::Arc;

/// What the filter, or one level of the route, changes.
#[derive(Debug, Default)]
pub struct Mutations {
    /// Request headers.
    pub request: MutationSteps,
    /// The parameters of the request's path, after its headers.
    pub query: QueryMutations,
    /// Request trailers.
    pub request_trailers: MutationSteps,
    /// Response headers.
    pub response: MutationSteps,
    /// Response trailers.
    pub response_trailers: MutationSteps,
}

/// The filter's configuration.
#[derive(Clone, Debug)]
pub struct HeaderMutationSpec {
    /// What it changes on every stream, before the levels of the route do.
    pub mutations: Arc<Mutations>,
    /// Whether the route's changes come after the virtual host's and the table's.
    pub most_specific_wins: bool,
}

/// The filter on one worker.
pub struct HeaderMutationLocal {
    spec: HeaderMutationSpec,
    scratch: LocalSlot<Vec<u8>>,
}

impl HttpFilterSpec for HeaderMutationSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(HeaderMutationLocal {
            spec: self.clone(),
            scratch: LocalSlot::default(),
        })))
    }
}

impl HttpFilterFactory for HeaderMutationLocal {
    type Filter = HeaderMutationFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST_HEADERS
            .and(Hooks::REQUEST_TRAILERS)
            .and(Hooks::RESPONSE_HEADERS)
            .and(Hooks::RESPONSE_TRAILERS)
    }

    fn create(self: &Rc<Self>) -> HeaderMutationFilter {
        HeaderMutationFilter {
            local: Rc::clone(self),
            of_route: None,
        }
    }
}

/// The filter.
pub struct HeaderMutationFilter {
    local: Rc<HeaderMutationLocal>,
    /// What the levels of the route change, in order, from the first callback on: a route that is
    /// chosen anew later no longer counts.
    of_route: Option<Vec<Arc<Mutations>>>,
}

/// A part of a message.
#[derive(Clone, Copy)]
enum Part {
    Headers,
    Trailers,
}

impl HeaderMutationFilter {
    fn apply(&mut self, cx: &mut Cx<'_>, direction: Direction, part: Part) {
        let spec = &self.local.spec;
        let of_route = self.of_route.get_or_insert_with(|| {
            let mut levels: Vec<_> = cx.route_specs::<Mutations>().collect();
            if !spec.most_specific_wins {
                levels.reverse();
            }
            levels
        });
        self.local.scratch.with(|scratch| {
            for mutations in std::iter::once(&spec.mutations).chain(of_route.iter()) {
                mutations.apply(cx, direction, part, scratch);
            }
        });
    }
}

impl Mutations {
    fn apply(&self, cx: &mut Cx<'_>, direction: Direction, part: Part, scratch: &mut Vec<u8>) {
        let steps = match (direction, part) {
            (Direction::Request, Part::Headers) => &self.request,
            (Direction::Request, Part::Trailers) => &self.request_trailers,
            (Direction::Response, Part::Headers) => &self.response,
            (Direction::Response, Part::Trailers) => &self.response_trailers,
        };
        if !steps.is_empty() {
            apply_steps(steps, cx, direction, part, scratch);
        }
        if let (Direction::Request, Part::Headers) = (direction, part)
            && !self.query.0.is_empty()
        {
            self.apply_query(cx);
        }
    }

    fn apply_query(&self, cx: &mut Cx<'_>) {
        let worker = Rc::clone(cx.worker());
        let (headers, info) = cx.request_and_info();
        let Some(path) = headers.get(names::PATH) else {
            return;
        };
        let path = self.query.apply(path, |formatter, out| {
            with_headers(&worker, info, Some(headers), None, |cx| {
                formatter.append(cx, out);
            });
        });
        headers.set(names::PATH, &path);
    }
}

fn apply_steps(
    steps: &MutationSteps,
    cx: &mut Cx<'_>,
    direction: Direction,
    part: Part,
    scratch: &mut Vec<u8>,
) {
    let worker = Rc::clone(cx.worker());
    let state = cx.state();
    let (info, request, response) = (&state.info, &mut state.request, &mut state.response);
    // Formats see the headers as they change, but trailers only beside finished headers.
    let (map, others) = match (direction, part) {
        (Direction::Request, Part::Headers) => (Some(&mut request.headers), None),
        (Direction::Request, Part::Trailers) => {
            (request.trailers.as_mut(), Some((&request.headers, None)))
        }
        (Direction::Response, Part::Headers) => {
            (Some(&mut response.headers), Some((&request.headers, None)))
        }
        (Direction::Response, Part::Trailers) => {
            let both = Some((&request.headers, Some(&response.headers)));
            (response.trailers.as_mut(), both)
        }
    };
    let Some(map) = map else { return };
    let format = |formatter: &Formatter, changing: &HeaderMap, out: &mut Vec<u8>| {
        let (request, response) = match (others, part) {
            (None, _) => (Some(changing), None),
            (Some((request, _)), Part::Headers) => (Some(request), Some(changing)),
            (Some((request, response)), Part::Trailers) => (Some(request), response),
        };
        with_headers(&worker, info, request, response, |cx| {
            formatter.append(cx, out);
        });
    };
    steps.apply(map, scratch, format);
}

impl HttpFilter for HeaderMutationFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        self.apply(cx, Direction::Request, Part::Headers);
        HeadersStatus::Continue
    }

    fn request_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        self.apply(cx, Direction::Request, Part::Trailers);
        TrailersStatus::Continue
    }

    fn response_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        self.apply(cx, Direction::Response, Part::Headers);
        HeadersStatus::Continue
    }

    fn response_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        self.apply(cx, Direction::Response, Part::Trailers);
        TrailersStatus::Continue
    }
}
