//! `/csds`: how far each dynamic resource is. Envoy has no such page: its service of this name is
//! asked over gRPC.

use crate::{AdminResponse, Call, json};

pub(crate) fn answer(call: &Call<'_>) -> AdminResponse {
    let bytes = call.server.client_config();
    let name = "envoy.service.status.v3.ClientConfig";
    AdminResponse::json(json::encoded(name, &bytes, false))
}
