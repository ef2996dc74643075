//! What becomes of the states of resources that come, are refused and go.

use super::*;
use crate::resource::Resource;
use nuncio_base::time::wall;
use std::time::Duration;

fn resource(name: &str, version: &str) -> Resource {
    Resource {
        name: name.to_owned(),
        version: version.to_owned(),
        body: Default::default(),
    }
}

fn shown(states: &SourceStates) -> Vec<String> {
    let mut all = Vec::new();
    states.each(|name, state| {
        let accepted = state.accepted.as_ref().map_or("-", |(version, _)| version);
        let refused = state.refused.as_ref();
        let refused = refused.map_or("-".to_owned(), |it| format!("{} {}", it.version, it.reason));
        all.push(format!("{name} {accepted} {refused}"));
    });
    all
}

fn update(resources: &[Resource]) -> Update<'_> {
    Update {
        resources,
        removed: None,
        version: "u",
    }
}

fn rejection(reason: &str, resources: &[(&str, &str)]) -> Rejection {
    let resources = resources.iter();
    Rejection {
        reason: reason.to_owned(),
        resources: resources
            .map(|(name, reason)| ((*name).to_owned(), (*reason).to_owned()))
            .collect(),
    }
}

#[test]
fn what_is_asked_for_by_name() {
    let (states, now) = (SourceStates::new(ResourceType::Endpoint), wall());
    let note = |update: &Update<'_>, outcome| states.note(Some("e"), update, &outcome, now);
    states.ask("e");
    states.ask("e");
    assert_eq!(shown(&states), ["e - -"]);
    // What nobody asked for is not kept, however much of it comes.
    let both = [resource("e", "1"), resource("x", "1")];
    note(&update(&both), Ok(()));
    assert_eq!(shown(&states), ["e 1 -"]);
    note(&update(&[resource("e", "2")]), Err(rejection("no", &[])));
    assert_eq!(shown(&states), ["e 1 2 no"]);
    note(&update(&[resource("e", "3")]), Ok(()));
    note(&update(&[resource("x", "4")]), Err(rejection("other", &[])));
    assert_eq!(shown(&states), ["e 3 u other"]);
    let gone = ["e".to_owned()];
    let removal = Update {
        removed: Some(&gone),
        ..update(&[])
    };
    note(&removal, Err(rejection("stays", &[])));
    assert_eq!(shown(&states), ["e 3 u stays"]);
    note(&removal, Ok(()));
    assert_eq!(shown(&states), ["e - -"]);
    states.unask("e");
    assert_eq!(shown(&states), ["e - -"]);
    states.unask("e");
    assert!(shown(&states).is_empty());
}

#[test]
fn of_several_those_that_are_named_are_refused() {
    let (states, now) = (SourceStates::new(ResourceType::Cluster), wall());
    let note = |update: &Update<'_>, outcome| states.note(None, update, &outcome, now);
    let names = ["", "b", "web"];
    let first = names.map(|name| resource(name, "1"));
    // A name may be the end of another's, or nothing.
    let outcome = Err(rejection("web: wrong", &[("web", "wrong")]));
    note(&update(&first), outcome);
    assert_eq!(shown(&states), [" 1 -", "b 1 -", "web - 1 wrong"]);
    // Nobody was given what could not be read.
    let named = [("b", "2"), ("web", "2")].map(|(name, version)| (name.into(), version.into()));
    states.refuse(&named, &rejection("bad", &[("b", "why")]), |_| true, now);
    assert_eq!(shown(&states), [" 1 -", "b 1 2 why", "web - 1 wrong"]);
    states.refuse(&named, &rejection("bad", &[]), |name| name != "b", now);
    assert_eq!(shown(&states), [" 1 -", "b 1 2 why", "web - 2 bad"]);
    note(&update(&first[1..2]), Ok(()));
    assert_eq!(shown(&states), ["b 1 -"]);
    let gone = ["b".to_owned()];
    let removal = Update {
        removed: Some(&gone),
        ..update(&first[..1])
    };
    note(&removal, Ok(()));
    assert_eq!(shown(&states), [" 1 -"]);
    states.retain(|name| !name.is_empty());
    assert!(shown(&states).is_empty());
}

#[test]
fn ever_new_names_that_are_refused_are_forgotten() {
    let (states, start) = (SourceStates::new(ResourceType::Cluster), wall());
    let accepted: Vec<_> = (0..10).map(|at| resource(&at.to_string(), "1")).collect();
    states.note(None, &update(&accepted), &Ok(()), start);
    let long = rejection(&"x".repeat(10_000), &[]);
    for turn in 1..=4 {
        let names = (0..MOST_REFUSED * 2 / 3).map(|at| (format!("{turn} {at}"), "2".to_owned()));
        let names: Vec<_> = names.collect();
        let now = start + Duration::from_secs(turn);
        states.refuse(&names, &long, |_| true, now);
    }
    let (mut of_last, mut all, mut reasons) = (0, 0, HashSet::new());
    states.each(|name, state| {
        all += 1;
        of_last += usize::from(name.starts_with("4 "));
        if let Some(refused) = &state.refused {
            assert_eq!(refused.reason.len(), 4096);
            reasons.insert(refused.reason.as_ptr());
        }
    });
    assert_eq!((all, of_last), (MOST_REFUSED + 10, MOST_REFUSED * 2 / 3));
    // One text for all of a response.
    assert_eq!(reasons.len(), 2);
}
