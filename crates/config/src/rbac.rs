//! `envoy.config.rbac.v3`: protos to `nuncio_policy::rbac`.

use crate::match_input::{Scene, match_input};
use crate::match_tree::{MatchTreeKind, match_tree};
use crate::matching::{
    address_matcher, cidr_range, header_matcher, metadata_matcher, path_matcher, string_matcher,
};
use crate::unknown_extension::unknown_extension;
use crate::uri_template;
use nuncio_extension::{Invalid, ParseCx, Parsed};
use nuncio_matching::{IntRange, PathMatcher};
use nuncio_policy::Input;
use nuncio_policy::rbac::{
    Action, AddressOf, Engine, MatchAction, MetadataSource, Permission, Policy, Principal,
    StateMatcher,
};
use nuncio_proto::any::type_name;
use nuncio_proto::envoy::config::core::v3::TypedExtensionConfig;
use nuncio_proto::envoy::config::rbac::v3 as proto;
use nuncio_proto::google::protobuf::Any;
use nuncio_proto::xds::r#type::matcher::v3::Matcher;
use nuncio_proto::{Name, envoy::r#type::matcher::v3 as matcher_proto};

/// What a filter has of rules: under the fields of these names, of which the matcher counts.
pub struct Rules {
    /// `rules` or `shadow_rules`.
    pub field: &'static str,
    /// The rules.
    pub rules: Option<proto::Rbac>,
    /// `matcher` or `shadow_matcher`.
    pub matcher_field: &'static str,
    /// The matcher.
    pub matcher: Option<Matcher>,
}

/// The engine that rules or a matcher make; `None` where there is neither.
///
/// # Errors
/// What is malformed or not built: conditions (CEL), audit loggers, extensions. Where it is about
/// connections alone, rules about headers.
pub fn engine(cx: &mut ParseCx, scene: Scene, all: Rules) -> Parsed<Option<Engine>> {
    if let Some(matcher) = all.matcher {
        if all.rules.is_some() {
            cx.warn(format!("{} is ignored: there is a matcher", all.field));
        }
        return cx.field(all.matcher_field, |cx| {
            let mut kind = Trees { scene, logs: false };
            let tree = match_tree(cx, &mut kind, matcher)?;
            Ok(Some(Engine::Matcher {
                tree,
                logs: kind.logs,
            }))
        });
    }
    cx.optional(all.field, all.rules, |cx, rules| policies(cx, scene, rules))
}

struct Trees {
    scene: Scene,
    logs: bool,
}

impl MatchTreeKind for Trees {
    type Input = Input;
    type Action = MatchAction;

    const REQUIREMENT: &'static str = "requirement violation while creating match tree: ";

    fn input(&mut self, cx: &mut ParseCx, name: &str, config: &Any) -> Parsed<Input> {
        match_input(cx, name, config, self.scene)
    }

    fn action(&mut self, cx: &mut ParseCx, name: &str, config: &Any) -> Parsed<MatchAction> {
        if type_name(config) != proto::Action::full_name() {
            return Err(unknown_extension(cx, name, config));
        }
        let parsed: proto::Action = cx.field("typed_config", |cx| cx.unpack(config))?;
        let action = action(parsed.action());
        self.logs |= action == Action::Log;
        Ok(MatchAction {
            name: parsed.name.into(),
            action,
        })
    }
}

fn action(proto: proto::rbac::Action) -> Action {
    match proto {
        proto::rbac::Action::Allow => Action::Allow,
        proto::rbac::Action::Deny => Action::Deny,
        proto::rbac::Action::Log => Action::Log,
    }
}

fn policies(cx: &mut ParseCx, scene: Scene, proto: proto::Rbac) -> Parsed<Engine> {
    let action = action(proto.action());
    let audit = proto.audit_logging_options.unwrap_or_default();
    let audited = cx.field("audit_logging_options", |cx| {
        cx.list("logger_configs", audit.logger_configs, |cx, logger| {
            let extension = logger.audit_logger.unwrap_or_default();
            Err::<(), _>(extension_not_built(cx, "audit_logger", extension))
        })
    });
    let mut named: Vec<_> = proto.policies.into_iter().collect();
    named.sort_by(|(a, _), (b, _)| a.cmp(b));
    let policies = cx.field("policies", |cx| {
        let all = named.into_iter();
        let all = all.map(|(name, policy)| {
            let converted = cx.key(&name, |cx| self::policy(cx, scene, policy));
            converted.map(|(permissions, principals)| Policy {
                name: name.into(),
                permissions,
                principals,
            })
        });
        let all: Vec<_> = all.collect();
        all.into_iter().collect::<Parsed<Vec<_>>>()
    });
    audited?;
    Ok(Engine::policies(action, policies?))
}

type Converted = (Vec<Permission>, Vec<Principal>);

fn policy(cx: &mut ParseCx, scene: Scene, proto: proto::Policy) -> Parsed<Converted> {
    let proto::Policy {
        permissions,
        principals,
        condition,
        checked_condition,
        cel_config,
    } = proto;
    let refused = cx
        .refuse("condition", condition.is_some())
        .and(cx.refuse("checked_condition", checked_condition.is_some()))
        .and(cx.refuse("cel_config", cel_config.is_some()));
    let permissions = cx.list("permissions", permissions, |cx, proto| {
        permission(cx, scene, proto)
    });
    let principals = cx.list("principals", principals, |cx, proto| {
        principal(cx, scene, proto)
    });
    refused?;
    Ok((permissions?, principals?))
}

/// Connections have no headers.
fn header_is_there(cx: &mut ParseCx, scene: Scene, name: &str) -> Parsed<()> {
    match scene {
        Scene::Connection => Err(cx.error(format!(
            "Found header({name}) rule,not supported by RBAC network filter"
        ))),
        Scene::Request | Scene::Response => Ok(()),
    }
}

fn permission(cx: &mut ParseCx, scene: Scene, proto: proto::Permission) -> Parsed<Permission> {
    use proto::permission::Rule;
    let set = |cx: &mut ParseCx, field, set: proto::permission::Set| {
        cx.field(field, |cx| {
            cx.list("rules", set.rules, |cx, one| permission(cx, scene, one))
        })
    };
    Ok(match proto.rule {
        Some(Rule::AndRules(all)) => Permission::And(set(cx, "and_rules", all)?),
        Some(Rule::OrRules(all)) => Permission::Or(set(cx, "or_rules", all)?),
        Some(Rule::NotRule(one)) => {
            let one = cx.field("not_rule", |cx| permission(cx, scene, *one))?;
            Permission::Not(Box::new(one))
        }
        Some(Rule::Any(_)) => Permission::Any,
        Some(Rule::Header(matcher)) => cx.field("header", |cx| {
            header_is_there(cx, scene, &matcher.name)?;
            header_matcher(cx, matcher).map(Permission::Header)
        })?,
        Some(Rule::UrlPath(path)) => {
            Permission::Path(cx.field("url_path", |cx| path_matcher(cx, path))?)
        }
        Some(Rule::DestinationIp(range)) => {
            Permission::DestinationIp(cx.field("destination_ip", |cx| cidr_range(cx, range))?)
        }
        Some(Rule::DestinationPort(port)) => match u16::try_from(port) {
            Ok(port) => Permission::DestinationPort(port),
            Err(_) => return Err(cx.error_at("destination_port", "value must be at most 65535")),
        },
        Some(Rule::DestinationPortRange(range)) => Permission::DestinationPorts(IntRange {
            start: range.start.into(),
            end: range.end.into(),
        }),
        Some(Rule::Metadata(matcher)) => {
            let matcher = cx.field("metadata", |cx| metadata_matcher(cx, matcher))?;
            Permission::Metadata(MetadataSource::Dynamic, matcher)
        }
        Some(Rule::SourcedMetadata(sourced)) => {
            let (source, matcher) = sourced_metadata(cx, sourced)?;
            Permission::Metadata(source, matcher)
        }
        Some(Rule::RequestedServerName(name)) => {
            let field = "requested_server_name";
            Permission::ServerName(cx.field(field, |cx| string_matcher(cx, name))?)
        }
        Some(Rule::Matcher(extension)) => {
            return Err(extension_not_built(cx, "matcher", extension));
        }
        Some(Rule::UriTemplate(extension)) => {
            let regex = cx.field("uri_template", |cx| uri_template::path_match(cx, extension))?;
            Permission::Path(PathMatcher::new(regex.into()))
        }
        None => return Err(cx.error("field: 'rule', reason: is required")),
    })
}

fn principal(cx: &mut ParseCx, scene: Scene, proto: proto::Principal) -> Parsed<Principal> {
    use proto::principal::Identifier;
    let set = |cx: &mut ParseCx, field, set: proto::principal::Set| {
        cx.field(field, |cx| {
            cx.list("ids", set.ids, |cx, one| principal(cx, scene, one))
        })
    };
    let ip = |cx: &mut ParseCx, field, which, range| {
        cx.field(field, |cx| cidr_range(cx, range))
            .map(|range| Principal::Ip(which, range))
    };
    Ok(match proto.identifier {
        Some(Identifier::AndIds(all)) => Principal::And(set(cx, "and_ids", all)?),
        Some(Identifier::OrIds(all)) => Principal::Or(set(cx, "or_ids", all)?),
        Some(Identifier::NotId(one)) => {
            let one = cx.field("not_id", |cx| principal(cx, scene, *one))?;
            Principal::Not(Box::new(one))
        }
        Some(Identifier::Any(_)) => Principal::Any,
        Some(Identifier::Authenticated(names)) => {
            let matcher = cx.field("authenticated", |cx| {
                cx.optional("principal_name", names.principal_name, string_matcher)
            });
            Principal::Authenticated(matcher?)
        }
        Some(Identifier::SourceIp(range)) => ip(cx, "source_ip", AddressOf::Connection, range)?,
        Some(Identifier::DirectRemoteIp(range)) => {
            ip(cx, "direct_remote_ip", AddressOf::DirectRemote, range)?
        }
        Some(Identifier::RemoteIp(range)) => ip(cx, "remote_ip", AddressOf::Remote, range)?,
        Some(Identifier::Header(matcher)) => cx.field("header", |cx| {
            header_is_there(cx, scene, &matcher.name)?;
            header_matcher(cx, matcher).map(Principal::Header)
        })?,
        Some(Identifier::UrlPath(path)) => {
            Principal::Path(cx.field("url_path", |cx| path_matcher(cx, path))?)
        }
        Some(Identifier::Metadata(matcher)) => {
            let matcher = cx.field("metadata", |cx| metadata_matcher(cx, matcher))?;
            Principal::Metadata(MetadataSource::Dynamic, matcher)
        }
        Some(Identifier::SourcedMetadata(sourced)) => {
            let (source, matcher) = sourced_metadata(cx, sourced)?;
            Principal::Metadata(source, matcher)
        }
        Some(Identifier::FilterState(state)) => {
            cx.field("filter_state", |cx| filter_state(cx, state))?
        }
        Some(Identifier::Custom(extension)) => {
            return Err(extension_not_built(cx, "custom", extension));
        }
        None => return Err(cx.error("field: 'identifier', reason: is required")),
    })
}

fn sourced_metadata(
    cx: &mut ParseCx,
    proto: proto::SourcedMetadata,
) -> Parsed<(MetadataSource, nuncio_matching::MetadataMatcher)> {
    let source = match proto.metadata_source() {
        proto::MetadataSource::Dynamic => MetadataSource::Dynamic,
        proto::MetadataSource::Route => MetadataSource::Route,
    };
    let matcher = cx.field("sourced_metadata", |cx| {
        cx.required("metadata_matcher", proto.metadata_matcher, metadata_matcher)
    })?;
    Ok((source, matcher))
}

fn filter_state(cx: &mut ParseCx, proto: matcher_proto::FilterStateMatcher) -> Parsed<Principal> {
    use matcher_proto::filter_state_matcher::Matcher;
    let matcher = match proto.matcher {
        Some(Matcher::StringMatch(matcher)) => cx
            .field("string_match", |cx| string_matcher(cx, matcher))
            .map(StateMatcher::Text)?,
        Some(Matcher::AddressMatch(matcher)) => cx
            .field("address_match", |cx| address_matcher(cx, matcher))
            .map(StateMatcher::Address)?,
        None => return Err(cx.error("field: 'matcher', reason: is required")),
    };
    Ok(Principal::FilterState(proto.key.into(), matcher))
}

fn extension_not_built(
    cx: &mut ParseCx,
    field: &'static str,
    extension: TypedExtensionConfig,
) -> Invalid {
    let config = extension.typed_config.unwrap_or_default();
    cx.field(field, |cx| unknown_extension(cx, &extension.name, &config))
}
