//! `/stats/recentlookups`: names of stats that were looked up. That happens when configuration is
//! loaded, and hardly ever for requests.

use crate::{AdminResponse, Call};
use std::fmt::Write;

pub(crate) fn show(call: &Call<'_>) -> AdminResponse {
    let lookups = call.server.stats().lookups();
    let mut text = String::new();
    match lookups.tracked() {
        Some(tracked) => {
            text.push_str("   Count Lookup\n");
            for (count, name) in tracked {
                // Strings take everything.
                let _ = writeln!(text, "{count:8} {name}");
            }
        }
        None => text.push_str(
            "Lookup tracking is not enabled. Use /stats/recentlookups/enable to enable.\n",
        ),
    }
    let total = lookups.total();
    AdminResponse::text(format!("{text}\ntotal: {total}\n"))
}

pub(crate) fn clear(call: &Call<'_>) -> AdminResponse {
    call.server.stats().clear_lookups();
    AdminResponse::ok()
}

pub(crate) fn enable(call: &Call<'_>) -> AdminResponse {
    call.server.stats().track_lookups(true);
    AdminResponse::ok()
}

pub(crate) fn disable(call: &Call<'_>) -> AdminResponse {
    call.server.stats().track_lookups(false);
    AdminResponse::ok()
}
