//! `/stats/recentlookups`: names of stats looked up at run time. There are none: stats are found
//! when configuration is loaded.

use crate::{AdminResponse, Call};

pub(crate) fn show(call: &Call<'_>) -> AdminResponse {
    let list = match call.server.tracks_lookups().get() {
        true => "   Count Lookup\n",
        false => "Lookup tracking is not enabled. Use /stats/recentlookups/enable to enable.\n",
    };
    AdminResponse::text(format!("{list}\ntotal: 0\n"))
}

pub(crate) fn clear(_: &Call<'_>) -> AdminResponse {
    AdminResponse::ok()
}

pub(crate) fn enable(call: &Call<'_>) -> AdminResponse {
    call.server.tracks_lookups().set(true);
    AdminResponse::ok()
}

pub(crate) fn disable(call: &Call<'_>) -> AdminResponse {
    call.server.tracks_lookups().set(false);
    AdminResponse::ok()
}
