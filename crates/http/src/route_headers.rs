//! What a route changes in a response's head.

use crate::chain::StreamState;
use crate::format_cx::with_headers;
use nuncio_base::HeaderMap;
use nuncio_route::mutation::Scratch;

/// The changes of the stream's route, if it has one, to the head of a response.
pub fn finalize_response(state: &StreamState, headers: &mut HeaderMap, scratch: &mut Scratch) {
    let Some(selected) = state.route.selected() else {
        return;
    };
    for mutations in selected.response_mutations() {
        mutations.apply(headers, scratch, |formatter, headers, out| {
            let request = Some(&state.request.headers);
            with_headers(&state.worker, &state.info, request, Some(headers), |cx| {
                formatter.append(cx, out);
            });
        });
    }
}
