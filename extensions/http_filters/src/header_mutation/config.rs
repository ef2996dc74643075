//! Protos to [`HeaderMutationSpec`] and [`Mutations`].

use super::{HeaderMutation, HeaderMutationSpec, Mutations, QueryMutation, QueryMutations};
use nuncio_config::format::text_format;
use nuncio_config::header_mutation::mutation_steps;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::config::core::v3::KeyValueMutation;
use nuncio_proto::envoy::config::core::v3::key_value_append::KeyValueAppendAction;
use nuncio_proto::envoy::extensions::filters::http::header_mutation::v3 as proto;
use nuncio_proto::google::protobuf::value::Kind;
use nuncio_route::AppendAction;
use std::sync::Arc;

impl HttpFilterExtension for HeaderMutation {
    const NAME: &'static str = "envoy.filters.http.header_mutation";
    const UPSTREAM: bool = true;
    type Proto = proto::HeaderMutation;
    type RouteProto = proto::HeaderMutationPerRoute;
    type Spec = HeaderMutationSpec;
    type RouteSpec = Mutations;

    fn parse(
        &self,
        proto: proto::HeaderMutation,
        _filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<HeaderMutationSpec> {
        let proto::HeaderMutation {
            mutations: own,
            most_specific_header_mutations_wins,
        } = proto;
        Ok(HeaderMutationSpec {
            mutations: Arc::new(
                cx.optional("mutations", own, mutations)?
                    .unwrap_or_default(),
            ),
            most_specific_wins: most_specific_header_mutations_wins,
        })
    }

    fn parse_route(
        &self,
        proto: proto::HeaderMutationPerRoute,
        cx: &mut ParseCx,
    ) -> Parsed<Mutations> {
        let proto::HeaderMutationPerRoute { mutations: own } = proto;
        Ok(cx
            .optional("mutations", own, mutations)?
            .unwrap_or_default())
    }
}

fn mutations(cx: &mut ParseCx, proto: proto::Mutations) -> Parsed<Mutations> {
    let proto::Mutations {
        request_mutations,
        query_parameter_mutations,
        response_mutations,
        response_trailers_mutations,
        request_trailers_mutations,
    } = proto;
    let request = mutation_steps(cx, "request_mutations", request_mutations);
    let query = cx.list(
        "query_parameter_mutations",
        query_parameter_mutations,
        query,
    );
    let response = mutation_steps(cx, "response_mutations", response_mutations);
    let response_trailers = mutation_steps(
        cx,
        "response_trailers_mutations",
        response_trailers_mutations,
    );
    let request_trailers =
        mutation_steps(cx, "request_trailers_mutations", request_trailers_mutations);
    Ok(Mutations {
        request: request?,
        query: QueryMutations(query?),
        response: response?,
        response_trailers: response_trailers?,
        request_trailers: request_trailers?,
    })
}

fn query(cx: &mut ParseCx, proto: KeyValueMutation) -> Parsed<QueryMutation> {
    if proto.append.is_some() && !proto.remove.is_empty() {
        // Envoy's words, with its lost quote.
        return Err(cx.error("Only one of 'append'/'remove can be specified."));
    }
    // `entry` is the record under an old name, which Envoy does not read.
    if let Some(append) = proto.append {
        return cx.field("append", |cx| {
            let action = match append.action() {
                KeyValueAppendAction::AppendIfExistsOrAdd => AppendAction::AppendIfExistsOrAdd,
                KeyValueAppendAction::AddIfAbsent => AppendAction::AddIfAbsent,
                KeyValueAppendAction::OverwriteIfExistsOrAdd => {
                    AppendAction::OverwriteIfExistsOrAdd
                }
                KeyValueAppendAction::OverwriteIfExists => AppendAction::OverwriteIfExists,
            };
            let Some(record) = append.record else {
                return Err(cx.error("No record specified for append mutation."));
            };
            let Some(Kind::StringValue(text)) = record.value.and_then(|value| value.kind) else {
                let message = "Only string value is allowed for record value.";
                return Err(cx.error_at("record", message));
            };
            Ok(QueryMutation::Append {
                name: record.key,
                value: cx.field("record", |cx| text_format(cx, &text, true))?,
                action,
            })
        });
    }
    if proto.remove.is_empty() {
        return Err(cx.error("One of 'append'/'remove' must be specified."));
    }
    Ok(QueryMutation::Remove(proto.remove))
}
