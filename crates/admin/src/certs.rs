//! `/certs`: the certificates that are loaded.

use crate::{AdminResponse, Call, json};

pub(crate) fn answer(call: &Call<'_>) -> AdminResponse {
    let bytes = call.server.certificates();
    AdminResponse::json(json::encoded("envoy.admin.v3.Certificates", &bytes, true))
}
