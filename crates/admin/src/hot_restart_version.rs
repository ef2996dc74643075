//! `/hot_restart_version`: the same as `--hot-restart-version`.

use nuncio_base::version::HOT_RESTART_VERSION;

use crate::{AdminResponse, Call};

pub(crate) fn answer(call: &Call<'_>) -> AdminResponse {
    AdminResponse::text(match call.server.options().disable_hot_restart {
        true => "disabled",
        false => HOT_RESTART_VERSION,
    })
}
