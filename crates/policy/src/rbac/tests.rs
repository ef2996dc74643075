//! Verdicts of engines, over facts of a connection and a request.

use super::*;
use crate::{Facts, Input};
use nuncio_base::address::Address;
use nuncio_base::metadata::{Metadata, Value};
use nuncio_base::{HeaderMap, HeaderName, time};
use nuncio_matching::{
    AddressMatcher, CidrList, CidrRange, HeaderMatch, HeaderMatcher, IntRange, MatchTree,
    MetadataMatcher, OnMatch, PathMatcher, Predicate, StringMatcher, ValueMatcher,
};
use nuncio_stats::Store;
use nuncio_stream_info::filter_state::{LifeSpan, Text};
use nuncio_stream_info::{ConnectionInfo, StreamInfo, Timings};
use std::rc::Rc;
use std::sync::Arc;

fn exact(text: &str) -> StringMatcher {
    StringMatcher::exact(text, false)
}

fn range(address: &str, length: u32) -> CidrRange {
    CidrRange::parse(address, length).unwrap()
}

fn with_facts<R>(run: impl FnOnce(&Facts<'_>) -> R) -> R {
    let address = |text: &str| Address::Ip(text.parse().unwrap());
    let (now, wall) = (time::monotonic(), time::wall());
    let (local, remote) = (address("10.0.0.1:80"), address("10.0.0.2:5000"));
    let mut connection = ConnectionInfo::new(1, local, remote, (now, wall));
    connection.restore(address("10.0.0.1:80"), address("10.9.0.2:5000"));
    connection.requested_server_name = Some("a.test".into());
    let state = Rc::new(Text("192.168.7.7:1".to_owned()));
    let key = "peer";
    connection
        .filter_state
        .borrow_mut()
        .set(key, LifeSpan::Connection, state);
    let mut stream = StreamInfo::new(Rc::new(connection), Timings::new(wall, now));
    stream.remote_address = Some(address("9.9.9.9:0"));
    let fields = [("k".to_owned(), Value::Text("v".into()))].into();
    stream.metadata.set("f", Value::Struct(Arc::new(fields)));
    let headers: HeaderMap = [(":path", "/x?q"), ("x-a", "1")].into_iter().collect();
    run(&Facts::of_request(&headers, &stream))
}

fn header(name: &str, value: &str) -> HeaderMatcher {
    HeaderMatcher::new(name, HeaderMatch::Value(exact(value)))
}

fn metadata(value: &str) -> MetadataMatcher {
    MetadataMatcher::new(
        "f",
        vec!["k".to_owned()],
        ValueMatcher::Text(exact(value)),
        false,
    )
}

#[test]
fn permissions() {
    use MetadataSource::{Dynamic, Route};
    let ports = |start, end| Permission::DestinationPorts(IntRange { start, end });
    let path = |path: &str| Permission::Path(PathMatcher::new(exact(path)));
    for (permission, expected) in [
        (Permission::Any, true),
        (Permission::Header(header("x-a", "1")), true),
        (Permission::Header(header("x-a", "2")), false),
        (path("/x"), true),
        (path("/x?q"), false),
        (Permission::DestinationIp(range("10.0.0.0", 24)), true),
        (Permission::DestinationIp(range("10.0.1.0", 24)), false),
        (Permission::DestinationPort(80), true),
        (Permission::DestinationPort(81), false),
        (ports(80, 81), true),
        (ports(70, 80), false),
        (Permission::Metadata(Dynamic, metadata("v")), true),
        (Permission::Metadata(Route, metadata("v")), false),
        (Permission::ServerName(exact("a.test")), true),
        (Permission::Not(Box::new(Permission::Any)), false),
        (Permission::And(vec![Permission::Any, path("/y")]), false),
        (Permission::Or(vec![path("/y"), Permission::Any]), true),
    ] {
        let matches = with_facts(|facts| permission.matches(facts));
        assert_eq!(matches, expected, "{permission:?}");
    }
}

#[test]
fn principals() {
    use AddressOf::{Connection, DirectRemote, Remote};
    let state = |matcher| Principal::FilterState("peer".into(), matcher);
    let within = |address, length| {
        let list = CidrList::new(vec![range(address, length)]);
        state(StateMatcher::Address(AddressMatcher::new(list, false)))
    };
    for (principal, expected) in [
        (Principal::Any, true),
        (Principal::Ip(Connection, range("10.9.0.2", 32)), true),
        (Principal::Ip(Connection, range("10.0.0.2", 32)), false),
        (Principal::Ip(DirectRemote, range("10.0.0.2", 32)), true),
        (Principal::Ip(Remote, range("9.9.9.9", 32)), true),
        (Principal::Ip(Remote, range("10.0.0.0", 8)), false),
        (Principal::Authenticated(None), false),
        (Principal::Header(header("x-a", "1")), true),
        (Principal::Path(PathMatcher::new(exact("/x"))), true),
        (
            Principal::Metadata(MetadataSource::Dynamic, metadata("w")),
            false,
        ),
        (state(StateMatcher::Text(exact("192.168.7.7:1"))), true),
        (within("192.168.0.0", 16), true),
        (within("192.169.0.0", 16), false),
        (Principal::Not(Box::new(Principal::Any)), false),
        (Principal::And(vec![Principal::Any, Principal::Any]), true),
        (Principal::Or(vec![]), false),
    ] {
        let matches = with_facts(|facts| principal.matches(facts));
        assert_eq!(matches, expected, "{principal:?}");
    }
}

fn policy(name: &str, permission: Permission) -> Policy {
    Policy {
        name: name.into(),
        permissions: vec![permission],
        principals: vec![Principal::Any],
    }
}

#[test]
fn the_first_policy_by_name_counts() {
    let none = || Permission::Not(Box::new(Permission::Any));
    let all = || {
        vec![
            policy("c", Permission::Any),
            policy("b b", Permission::Any),
            policy("a", none()),
        ]
    };
    for (action, policies, allowed, matched, log) in [
        (Action::Allow, all(), true, Some("b b"), None),
        (Action::Allow, vec![policy("a", none())], false, None, None),
        (Action::Deny, all(), false, Some("b b"), None),
        (Action::Deny, vec![], true, None, None),
        (Action::Log, all(), true, Some("b b"), Some(true)),
        (Action::Log, vec![], true, None, Some(false)),
    ] {
        let verdict = with_facts(|facts| Engine::policies(action, policies).decide(facts));
        let expected = Verdict {
            allowed,
            policy: matched.map(Into::into),
            log,
        };
        assert_eq!(verdict, expected);
        let name = matched.map_or("none", |_| "b_b");
        let details = format!("rbac_access_denied_matched_policy[{name}]");
        assert_eq!(verdict.details(), details);
    }
}

#[test]
fn a_tree_that_finds_nothing_denies() {
    let input = || Input::RequestHeader(HeaderName::new("x-a"));
    let tree = |value: &str, action| {
        let action = MatchAction {
            name: "n".into(),
            action,
        };
        let question = Predicate::Value(input(), exact(value));
        Engine::Matcher {
            tree: MatchTree::list(vec![(question, OnMatch::Action(action))]),
            logs: true,
        }
    };
    for (value, action, allowed, log) in [
        ("1", Action::Allow, true, Some(false)),
        ("1", Action::Log, true, Some(true)),
        ("1", Action::Deny, false, Some(false)),
        ("2", Action::Allow, false, None),
    ] {
        let verdict = with_facts(|facts| tree(value, action).decide(facts));
        assert_eq!((verdict.allowed, verdict.log), (allowed, log), "{value}");
    }
}

#[test]
fn verdicts_are_counted_and_recorded() {
    let store = Store::default();
    let stats = Scopes::new(&store.root(), "http.x.rbac", ["", "sh"]).local();
    let verdict = Verdict {
        allowed: false,
        policy: Some("p".into()),
        log: Some(true),
    };
    stats.count(&verdict, false, true);
    stats.count(&verdict, true, false);
    for (name, value) in [
        ("http.x.rbac.denied", Some(1)),
        ("http.x.rbac.policy.p.denied", Some(1)),
        ("http.x.rbac.sh.shadow_denied", Some(1)),
        ("http.x.rbac.sh.policy.p.shadow_denied", None),
    ] {
        assert_eq!(store.counter_value(name), value, "{name}");
    }
    let mut metadata = Metadata::default();
    Record::shadow("f", "sh_").write(&verdict, &mut metadata);
    Record::enforced("f", "").write(&verdict, &mut metadata);
    hint(&verdict, &mut metadata);
    for (filter, field, value) in [
        (
            "f",
            "sh_shadow_effective_policy_id",
            Value::Text("p".into()),
        ),
        ("f", "sh_shadow_engine_result", Value::Text("denied".into())),
        ("f", "enforced_engine_result", Value::Text("denied".into())),
        ("envoy.common", "access_log_hint", Value::Bool(true)),
    ] {
        assert_eq!(metadata.get(filter).unwrap().at([field]), Some(&value));
    }
}
