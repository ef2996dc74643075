//! `early_header_mutation_extensions`: changes to request headers before anything looks at them.

use crate::header_mutation::mutation_steps;
use crate::unknown_extension::unknown_extension;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::any;
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3 as proto;
use nuncio_proto::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;
use nuncio_route::MutationSteps;

const HEADER_MUTATION: &str =
    "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation";

/// The changes of all extensions, one after the other.
///
/// # Errors
/// An extension that is not here; mutations that are wrong, in Envoy's words.
pub fn mutations(
    cx: &mut ParseCx,
    proto: &proto::HttpConnectionManager,
) -> Parsed<Vec<MutationSteps>> {
    let extensions = proto.early_header_mutation_extensions.clone();
    cx.list(
        "early_header_mutation_extensions",
        extensions,
        |cx, extension| {
            let config = extension.typed_config.unwrap_or_default();
            if any::type_name(&config) != HEADER_MUTATION {
                return Err(unknown_extension(cx, &extension.name, &config));
            }
            cx.field("typed_config", |cx| {
                let config: HeaderMutation = cx.unpack(&config)?;
                mutation_steps(cx, "mutations", config.mutations)
            })
        },
    )
}
