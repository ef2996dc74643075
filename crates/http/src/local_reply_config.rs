//! What a connection manager makes of local replies: `LocalReplyConfig`.

use crate::chain::StreamState;
use crate::format_cx::{with_format_cx, with_headers};
use bytes::Bytes;
use nuncio_base::names;
use nuncio_observe::{FormatCx, Formatter, LogFilter};
use nuncio_route::HeaderMutations;
use nuncio_route::mutation::Scratch;

/// How bodies are made.
#[derive(Debug)]
pub struct BodyFormat {
    /// The format, which sees the reply's own body as `%LOCAL_REPLY_BODY%`.
    pub formatter: Formatter,
    /// The content type that goes with it.
    pub content_type: String,
}

/// What some replies become.
#[derive(Debug)]
pub struct ResponseMapper {
    /// Which ones.
    pub filter: LogFilter,
    /// Their new status.
    pub status: Option<u16>,
    /// Their new body, before it is formatted.
    pub body: Option<Bytes>,
    /// How their body is made, instead of the general format.
    pub body_format: Option<BodyFormat>,
    /// Headers that are added.
    pub headers: HeaderMutations,
}

/// What local replies become.
#[derive(Debug, Default)]
pub struct LocalReplyConfig {
    /// The first whose filter takes a reply changes it.
    pub mappers: Vec<ResponseMapper>,
    /// How bodies are made; `None`: they stay.
    pub body_format: Option<BodyFormat>,
}

/// A reply's parts that may have been changed.
pub(crate) struct Rewritten<'a> {
    pub status: u16,
    pub body: Bytes,
    /// The content type of the body, if it was formatted.
    pub content_type: Option<&'a str>,
}

impl LocalReplyConfig {
    /// Changes a reply whose head stands in the response already.
    pub(crate) fn rewrite(
        &self,
        state: &mut StreamState,
        status: u16,
        body: Bytes,
    ) -> Rewritten<'_> {
        let mut reply = Rewritten {
            status,
            body,
            content_type: None,
        };
        // Filters and formats ask for these.
        state.info.response_code = Some(status);
        let started = std::mem::replace(&mut state.response.started, true);
        let passes =
            |mapper: &&ResponseMapper| with_format_cx(state, |cx| mapper.filter.passes(cx));
        let mapper = self.mappers.iter().find(passes);
        if let Some(mapper) = mapper {
            mapper.change(state, &mut reply);
        }
        let format = mapper.and_then(|mapper| mapper.body_format.as_ref());
        if let Some(format) = format.or(self.body_format.as_ref()) {
            reply.body = format.body(state, &reply.body);
            reply.content_type = Some(&format.content_type);
        }
        state.response.started = started;
        reply
    }
}

impl ResponseMapper {
    fn change(&self, state: &mut StreamState, reply: &mut Rewritten<'_>) {
        if let Some(body) = &self.body {
            reply.body = body.clone();
        }
        let mut head = std::mem::take(&mut state.response.headers);
        self.headers.apply(
            &mut head,
            &mut Scratch::default(),
            |formatter, head, out| {
                let request = Some(&state.request.headers);
                with_headers(&state.worker, &state.info, request, Some(head), |cx| {
                    formatter.append(cx, out);
                });
            },
        );
        if let Some(status) = self.status {
            reply.status = status;
            head.set(names::STATUS, itoa::Buffer::new().format(status).as_bytes());
            state.info.response_code = Some(status);
        }
        state.response.headers = head;
    }
}

impl BodyFormat {
    fn body(&self, state: &StreamState, body: &[u8]) -> Bytes {
        let text = String::from_utf8_lossy(body);
        let mut formatted = Vec::new();
        with_format_cx(state, |cx| {
            let cx = FormatCx {
                local_reply_body: &text,
                ..*cx
            };
            self.formatter.append(&cx, &mut formatted);
        });
        formatted.into()
    }
}
