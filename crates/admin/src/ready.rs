//! `/ready`: the state, with a status that probes understand.

use crate::view::ServerState;
use crate::{AdminResponse, Call};

pub(crate) fn answer(call: &Call<'_>) -> AdminResponse {
    let state = call.server.state();
    let text = format!("{}\n", state.name());
    match state {
        ServerState::Live => AdminResponse::text(text),
        _ => AdminResponse::error(503, text),
    }
}
