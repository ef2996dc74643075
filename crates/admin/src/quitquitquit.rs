//! `/quitquitquit`: ends the process.

use crate::{AdminResponse, Call};

pub(crate) fn answer(call: &Call<'_>) -> AdminResponse {
    call.server.quit();
    AdminResponse::ok()
}
