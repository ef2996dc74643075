//! `/reset_counters`: all counters begin at zero again.

use crate::{AdminResponse, Call};

pub(crate) fn answer(call: &Call<'_>) -> AdminResponse {
    call.server.stats().reset_counters();
    AdminResponse::ok()
}
