//! Which hosts requests find, by the selectors and fallbacks; as Envoy 1.40.0 finds them.

use super::*;
use crate::load_balancing_policies::round_robin::RoundRobin;
use nuncio_base::address::Address;
use nuncio_base::metadata::{Fields, Metadata, Value};
use nuncio_stats::Store;
use nuncio_upstream::lb::{Choice, LbCx, LbRequest};
use nuncio_upstream::stats::ClusterLbStats;
use nuncio_upstream::{Host, HostSet, HostSpec};
use nuncio_worker::run_main;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// `a=1 b=x,y`: fields, lists by commas.
fn fields(text: &str) -> Fields {
    let field = |field: &str| {
        let (name, value) = field.split_once('=').unwrap();
        let text = |text: &str| Value::Text(text.into());
        let value = match value.contains(',') {
            true => Value::List(value.split(',').map(text).collect()),
            false => text(value),
        };
        (name.to_owned(), value)
    };
    text.split_whitespace().map(field).collect()
}

fn hosts(rows: &[&str]) -> PrioritySet {
    let host = |(at, row): (usize, &&str)| {
        let mut metadata = Metadata::default();
        metadata.set("envoy.lb", Value::Struct(Arc::new(fields(row))));
        Host::new(HostSpec {
            hostname: at.to_string().into(),
            metadata: Some(Arc::new(metadata)),
            ..HostSpec::new(Address::Pipe(at.to_string().into()))
        })
    };
    let all = rows.iter().enumerate().map(host).collect();
    let set = HostSet::new(0, all, &BTreeMap::new(), Default::default());
    PrioritySet::new(vec![set.into()], 50)
}

fn selector(keys: &str, fallback: Option<Fallback>) -> Selector {
    Selector {
        keys: keys.split(' ').map(str::to_owned).collect(),
        single_host: false,
        fallback,
    }
}

fn spec(selectors: Vec<Selector>) -> SubsetSpec {
    SubsetSpec {
        policy: Arc::new(RoundRobin::default()),
        selectors,
        fallback: Fallback::None,
        default_subset: Criteria::new(),
        allow_redundant_keys: false,
        locality_weight_aware: false,
        scale_locality_weight: false,
        panic_mode_any: false,
        list_as_any: false,
        fallback_list: false,
    }
}

struct Asks(Fields);

impl LbRequest for Asks {
    fn metadata_match(&self) -> Option<Cow<'_, Fields>> {
        Some(Cow::Borrowed(&self.0))
    }
}

/// The hosts found in some requests with each of these criteria, sorted, and the stats after all.
fn found(spec: SubsetSpec, rows: &[&str], asked: Vec<Fields>) -> (Vec<String>, [u64; 6]) {
    let (store, all) = (Store::default(), hosts(rows));
    let scope = store.scope("cluster.c");
    let subset = Subset(Arc::new(spec));
    run_main(async |worker| {
        let stats = scope.group::<ClusterLbStats>().local();
        let cx = SharedCx {
            scope: &scope,
            before: None,
            stats: &stats,
            threads: 2,
        };
        let shared = subset.shared(&all, &cx);
        let all = all.with_lb_shared(shared);
        let mut balancer = subset.localize(&worker);
        let mut answers = Vec::new();
        for criteria in asked {
            let request = Asks(criteria);
            let mut seen = BTreeSet::new();
            for _ in 0..8 {
                let choice = worker.with_random(|random| {
                    let (stats, active_requests) = (&stats, &|| 0);
                    balancer.choose(
                        &all,
                        &request,
                        &mut LbCx {
                            random,
                            stats,
                            active_requests,
                        },
                    )
                });
                seen.insert(match choice {
                    Choice::Host(host) => host.hostname().to_string(),
                    _ => "-".to_owned(),
                });
            }
            answers.push(seen.into_iter().collect::<String>());
        }
        let value = |name: &str| store.counter_value(&format!("cluster.c.lb_subsets_{name}"));
        let counts = ["created", "selected", "fallback", "fallback_panic"].map(value);
        let [created, selected, fallback, panic] = counts.map(Option::unwrap_or_default);
        let gauge = |name: &str| store.gauge_value(&format!("cluster.c.lb_subsets_{name}"));
        let duplicates = gauge("single_host_per_subset_duplicate").unwrap_or(0);
        let active = gauge("active").unwrap_or(0);
        (
            answers,
            [created, active, selected, fallback, panic, duplicates],
        )
    })
    .unwrap()
}

#[track_caller]
fn check(spec: SubsetSpec, rows: &[&str], cases: &[(&str, &str)]) -> [u64; 6] {
    let asked = cases.iter().map(|(asked, _)| fields(asked)).collect();
    let (answers, stats) = found(spec, rows, asked);
    for ((asked, expected), answer) in cases.iter().zip(answers) {
        assert_eq!(answer, *expected, "{asked}");
    }
    stats
}

const FOUR: [&str; 4] = ["v=1 s=a", "v=1 s=b", "v=2 s=a", ""];

#[test]
fn requests_find_hosts_by_selectors_and_fallbacks() {
    let by_stage = Fallback::Keys(Keys::from(["s".to_owned()]));
    let selectors = vec![
        selector("v", None),
        selector("s v", Some(by_stage)),
        selector("s", None),
    ];
    let spec = SubsetSpec {
        fallback: Fallback::Default,
        default_subset: fields("v=2"),
        ..spec(selectors)
    };
    let cases = [
        ("v=1", "01"),
        ("v=2", "2"),
        ("v=3", "2"),
        ("v=1 s=a", "0"),
        ("v=9 s=a", "02"),
        ("x=a", "2"),
        ("", "2"),
    ];
    // Seven subsets on two threads.
    assert_eq!(check(spec, &FOUR, &cases), [14, 14, 32, 24, 0, 0]);
}

#[test]
fn a_selector_has_a_fallback_of_its_own() {
    for (fallback, expected) in [
        (Fallback::None, "-"),
        (Fallback::Any, "0123"),
        (Fallback::Default, "2"),
    ] {
        let spec = SubsetSpec {
            default_subset: fields("v=2"),
            ..spec(vec![selector("v", Some(fallback))])
        };
        let stats = check(spec, &FOUR, &[("v=9", expected), ("s=a", "-")]);
        assert_eq!(stats[2..], [0; 4]);
    }
}

#[test]
fn any_host_stands_in_for_an_empty_fallback() {
    let spec = SubsetSpec {
        fallback: Fallback::Default,
        default_subset: fields("v=9"),
        panic_mode_any: true,
        ..spec(vec![selector("v", None)])
    };
    let stats = check(spec, &FOUR, &[("v=7", "0123"), ("v=2", "2")]);
    assert_eq!(stats[2..], [8, 0, 8, 0]);
}

#[test]
fn one_host_a_subset_where_asked() {
    let one = Selector {
        single_host: true,
        ..selector("v", None)
    };
    let stats = check(spec(vec![one]), &FOUR, &[("v=1", "0"), ("v=2", "2")]);
    assert_eq!(stats, [4, 4, 16, 0, 0, 1]);
}

#[test]
fn lists_stand_for_each_of_their_values() {
    let rows = ["v=1,2 s=a", "v=2 s=b"];
    let cases = [
        ("v=1", "0"),
        ("v=2", "01"),
        ("v=1,2", "-"),
        ("v=2 s=a", "0"),
    ];
    let selectors = || vec![selector("v", None), selector("v s", None)];
    let any = SubsetSpec {
        list_as_any: true,
        ..spec(selectors())
    };
    check(any, &rows, &cases);
    check(spec(selectors()), &rows, &[("v=1", "-"), ("v=1,2", "0")]);
}

#[test]
fn redundant_keys_are_passed_over_where_allowed() {
    let cases = |found: &'static str| [("v=1 zone=x", found), ("a=1 v=1", found)];
    let allowed = SubsetSpec {
        allow_redundant_keys: true,
        ..spec(vec![selector("v", None)])
    };
    check(allowed, &FOUR, &cases("01"));
    check(spec(vec![selector("v", None)]), &FOUR, &cases("-"));
}

#[test]
fn requests_bring_more_criteria_to_try_in_turn() {
    let list = |list: &[&str]| {
        let list = list.iter().map(|one| Value::Struct(Arc::new(fields(one))));
        Value::List(list.collect())
    };
    let mut asked = Vec::new();
    for more in [&["v=8", "v=2"][..], &["v=1"], &["v=8"], &[]] {
        let mut criteria = fields("s=a");
        criteria.insert("fallback_list".to_owned(), list(more));
        asked.push(criteria);
    }
    let selectors = vec![selector("s v", None)];
    let spec = SubsetSpec {
        fallback_list: true,
        ..spec(selectors)
    };
    assert_eq!(found(spec, &FOUR, asked).0, ["2", "0", "-", "-"]);
}
