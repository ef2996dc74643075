//! `/stats/recentlookups`: names of stats looked up at run time. There are none: stats are found
//! when configuration is loaded.

use crate::{AdminResponse, Call};

pub(crate) fn show(_: &Call<'_>) -> AdminResponse {
    AdminResponse::text(
        "Lookup tracking is not enabled. Use /stats/recentlookups/enable to enable.\n\ntotal: 0\n",
    )
}

pub(crate) fn change(_: &Call<'_>) -> AdminResponse {
    AdminResponse::error(501, "The current build does not support lookup tracking\n")
}
