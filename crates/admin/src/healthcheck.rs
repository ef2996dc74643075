//! `/healthcheck/fail` and `/healthcheck/ok`: whether health checks of this process pass.

use crate::{AdminResponse, Call};

pub(crate) fn fail(call: &Call<'_>) -> AdminResponse {
    call.server.fail_health_check(true);
    AdminResponse::ok()
}

pub(crate) fn ok(call: &Call<'_>) -> AdminResponse {
    call.server.fail_health_check(false);
    AdminResponse::ok()
}
