//! `/reopen_logs`: opens the log files again, after they were moved away.

use crate::{AdminResponse, Call};

pub(crate) fn answer(call: &Call<'_>) -> AdminResponse {
    call.server.reopen_logs();
    AdminResponse::ok()
}
