//! `/init_dump`: what start-up still waits for.

use nuncio_proto::envoy::admin::v3::{UnreadyTargetsDumps, unready_targets_dumps};

use crate::{AdminResponse, Call, json};

pub(crate) fn answer(call: &Call<'_>) -> AdminResponse {
    let mask = call.parameter("mask");
    let dumps = call.server.unready_targets(mask.as_deref());
    let message = UnreadyTargetsDumps {
        unready_targets_dumps: dumps
            .into_iter()
            .map(|dump| unready_targets_dumps::UnreadyTargetsDump {
                name: dump.name,
                target_names: dump.targets,
            })
            .collect(),
    };
    AdminResponse::json(json::typed(&message, false))
}
