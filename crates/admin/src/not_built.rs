//! Commands that Envoy has and that answer here that they are not built.

use crate::{AdminResponse, Call};

pub(crate) fn cpu_profiler(call: &Call<'_>) -> AdminResponse {
    match call.parameter("enable").as_deref() {
        Some("y") => AdminResponse::error(500, "failure to start the profiler"),
        Some("n") => AdminResponse::ok(),
        _ => AdminResponse::error(400, "?enable=<y|n>\n"),
    }
}

pub(crate) fn profiler(call: &Call<'_>) -> AdminResponse {
    if !matches!(call.parameter("enable").as_deref(), Some("y" | "n")) {
        return AdminResponse::error(400, "?enable=<y|n>\n");
    }
    AdminResponse::error(501, "The current build does not support this profiler")
}

pub(crate) fn heap_profiler(_: &Call<'_>) -> AdminResponse {
    AdminResponse::error(501, "The current build does not support heap profiler")
}

pub(crate) fn heap_dump(_: &Call<'_>) -> AdminResponse {
    AdminResponse::error(501, "The current build does not support heap dump")
}

pub(crate) fn tcmalloc(_: &Call<'_>) -> AdminResponse {
    AdminResponse::error(501, "The current build does not use TCMalloc")
}
