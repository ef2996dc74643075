//! `/drain_listeners`: stops listening; connections go on until they end.

use crate::view::DrainRequest;
use crate::{AdminResponse, Call};

pub(crate) fn answer(call: &Call<'_>) -> AdminResponse {
    call.server.drain_listeners(DrainRequest {
        inbound_only: call.has("inboundonly"),
        graceful: call.has("graceful"),
        skip_exit: call.has("skip_exit"),
    });
    AdminResponse::ok()
}
