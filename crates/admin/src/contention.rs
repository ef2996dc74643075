//! `/contention`: how long locks were waited for, which is not measured here.

use crate::{AdminResponse, Call};

pub(crate) fn answer(call: &Call<'_>) -> AdminResponse {
    if call.server.options().mutex_tracing {
        return AdminResponse::error(501, "The current build does not support mutex tracing\n");
    }
    AdminResponse::text(
        "Mutex contention tracing is not enabled. To enable, run Envoy with flag \
         --enable-mutex-tracing.",
    )
}
