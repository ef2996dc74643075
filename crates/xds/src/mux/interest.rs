//! What is wanted of one type over one stream, and what the stream has to send for it: requests,
//! acknowledgements and refusals (Envoy's "xDS REST and gRPC protocol"). No I/O.

use crate::rejection::cut;
use crate::resource::ResourceType;
use nuncio_proto::Message;
use nuncio_proto::envoy::config::core::v3::Node;
use nuncio_proto::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use nuncio_proto::google::rpc::Status;
use std::collections::{BTreeMap, BTreeSet};

/// gRPC's INTERNAL: the code of every refusal, as Envoy's.
const INTERNAL: i32 = 13;

/// What the last response is answered with.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Answer {
    Accepted,
    Refused(String),
}

/// One type on one stream, which is opened anew after it has ended.
///
/// What has changed since the last request is kept beside what is wanted, so that one name among
/// ten thousand costs what one costs.
#[derive(Debug)]
pub struct Interest {
    kind: ResourceType,
    delta: bool,
    /// Whether all resources are wanted, whatever their names.
    all: bool,
    /// Those that are wanted by name.
    names: BTreeSet<String>,
    /// Whether this stream was told what is wanted.
    told: bool,
    /// What it was not told yet since: the names that came, and those that went.
    added: BTreeSet<String>,
    removed: BTreeSet<String>,
    /// Whether it was not told yet that all are wanted, or are no longer.
    all_changed: bool,
    answer: Option<Answer>,
    nonce: String,
    /// The version that was accepted last; it outlives streams.
    version: String,
    /// The versions of the resources that are there, by name: what a delta stream begins with.
    versions: BTreeMap<String, String>,
}

impl Interest {
    /// Nothing is wanted yet.
    pub fn new(kind: ResourceType, delta: bool) -> Self {
        Self {
            kind,
            delta,
            all: false,
            names: BTreeSet::new(),
            told: false,
            added: BTreeSet::new(),
            removed: BTreeSet::new(),
            all_changed: false,
            answer: None,
            nonce: String::new(),
            version: String::new(),
            versions: BTreeMap::new(),
        }
    }

    /// A resource is wanted by its name.
    pub fn want(&mut self, name: &str) {
        if self.names.insert(name.to_owned()) {
            if !self.told {
                return;
            }
            self.removed.remove(name);
            // Said anew even if the stream was not told yet that it had gone.
            self.added.insert(name.to_owned());
        }
    }

    /// A resource is no longer wanted by its name.
    pub fn unwant(&mut self, name: &str) {
        if self.names.remove(name) {
            // A stream that was told nothing is told all that is wanted, however much comes and
            // goes until then.
            if self.told {
                self.added.remove(name);
                self.removed.insert(name.to_owned());
            }
            if !self.all {
                self.versions.remove(name);
            }
        }
    }

    /// Whether all resources are wanted.
    pub fn want_all(&mut self, all: bool) {
        if self.all == all {
            return;
        }
        self.all = all;
        self.all_changed = true;
    }

    /// Whether a resource is wanted by its name.
    pub fn wants(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// The type.
    pub fn kind(&self) -> ResourceType {
        self.kind
    }

    /// Whether resources are wanted by namespaces, which are not asked for.
    pub fn is_by_namespace(&self) -> bool {
        self.kind.is_by_namespace()
    }

    /// A stream is open: it knows nothing of what was said before.
    pub fn on_open(&mut self) {
        self.told = false;
        if !self.all {
            let names = &self.names;
            self.versions.retain(|name, _| names.contains(name));
        }
        self.added.clear();
        self.removed.clear();
        self.answer = None;
        self.nonce.clear();
    }

    /// A response was accepted.
    pub fn accept(&mut self, version: &str, nonce: &str) {
        version.clone_into(&mut self.version);
        nonce.clone_into(&mut self.nonce);
        self.answer = Some(Answer::Accepted);
    }

    /// A response was refused: what was accepted before stands.
    pub fn refuse(&mut self, nonce: &str, reason: &str) {
        nonce.clone_into(&mut self.nonce);
        self.answer = Some(Answer::Refused(cut(reason).to_owned()));
    }

    /// Notes the versions of resources that came one by one.
    pub fn note_versions<'a>(
        &mut self,
        added: impl Iterator<Item = (&'a str, &'a str)>,
        removed: &[String],
    ) {
        if !self.delta {
            return;
        }
        for name in removed {
            self.versions.remove(name);
        }
        for (name, version) in added {
            self.versions.insert(name.to_owned(), version.to_owned());
        }
    }

    /// The message that is due, encoded; none when nothing is. `node` is for those that tell who
    /// asks.
    pub fn next_request(&mut self, node: impl FnOnce() -> Option<Node>) -> Option<Vec<u8>> {
        let first = !self.told;
        let nothing = !self.all && self.names.is_empty();
        if first && nothing {
            return None;
        }
        let changed = !self.added.is_empty() || !self.removed.is_empty() || self.all_changed;
        if !first && !changed && self.answer.is_none() {
            return None;
        }
        let error_detail = match self.answer.take() {
            Some(Answer::Refused(message)) => Some(Status {
                code: INTERNAL,
                message,
                details: Vec::new(),
            }),
            Some(Answer::Accepted) | None => None,
        };
        let node = node();
        self.told = true;
        self.all_changed = false;
        let added = std::mem::take(&mut self.added);
        let removed = std::mem::take(&mut self.removed);
        Some(if !self.delta {
            self.full_request(node, error_detail)
        } else if first {
            let names = self.names.clone();
            self.delta_request(names, BTreeSet::new(), first, (node, error_detail))
        } else {
            self.delta_request(added, removed, first, (node, error_detail))
        })
    }

    fn full_request(&self, node: Option<Node>, error_detail: Option<Status>) -> Vec<u8> {
        let names = self.names.iter().cloned();
        let request = DiscoveryRequest {
            version_info: self.version.clone(),
            node,
            // All are wanted where no name is said.
            resource_names: if self.all {
                Vec::new()
            } else {
                names.collect()
            },
            type_url: self.kind.type_url(),
            response_nonce: self.nonce.clone(),
            error_detail,
            ..Default::default()
        };
        request.encode_to_vec()
    }

    fn delta_request(
        &mut self,
        added: BTreeSet<String>,
        removed: BTreeSet<String>,
        first: bool,
        (node, error_detail): (Option<Node>, Option<Status>),
    ) -> Vec<u8> {
        let request = DeltaDiscoveryRequest {
            node,
            type_url: self.kind.type_url(),
            resource_names_subscribe: if self.all {
                Vec::new()
            } else {
                added.into_iter().collect()
            },
            resource_names_unsubscribe: removed.into_iter().collect(),
            initial_resource_versions: if first {
                self.versions.clone().into_iter().collect()
            } else {
                Default::default()
            },
            response_nonce: std::mem::take(&mut self.nonce),
            error_detail,
            ..Default::default()
        };
        request.encode_to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(interest: &mut Interest) -> Option<DiscoveryRequest> {
        let bytes = interest.next_request(|| None)?;
        Some(DiscoveryRequest::decode(bytes.as_slice()).unwrap())
    }

    fn next_delta(interest: &mut Interest) -> Option<DeltaDiscoveryRequest> {
        let bytes = interest.next_request(|| None)?;
        Some(DeltaDiscoveryRequest::decode(bytes.as_slice()).unwrap())
    }

    #[test]
    fn state_of_the_world() {
        let mut interest = Interest::new(ResourceType::Endpoint, false);
        interest.on_open();
        assert_eq!(next(&mut interest), None);
        interest.want("a");
        let first = next(&mut interest).unwrap();
        assert_eq!(first.resource_names, ["a"]);
        assert_eq!((&*first.version_info, &*first.response_nonce), ("", ""));
        assert_eq!(next(&mut interest), None);
        interest.accept("1", "n1");
        let ack = next(&mut interest).unwrap();
        assert_eq!((&*ack.version_info, &*ack.response_nonce), ("1", "n1"));
        interest.refuse("n2", "no");
        let nack = next(&mut interest).unwrap();
        assert_eq!((&*nack.version_info, &*nack.response_nonce), ("1", "n2"));
        assert_eq!(nack.error_detail.unwrap().message, "no");
        interest.want("b");
        let more = next(&mut interest).unwrap();
        assert_eq!(
            (more.resource_names, &*more.response_nonce),
            (vec!["a".into(), "b".into()], "n2")
        );
        // A new stream: the version is known, the nonce is not.
        interest.on_open();
        let again = next(&mut interest).unwrap();
        assert_eq!((&*again.version_info, &*again.response_nonce), ("1", ""));
        // What nobody wants any more is said too.
        interest.unwant("a");
        interest.unwant("b");
        assert!(next(&mut interest).unwrap().resource_names.is_empty());
        assert_eq!(next(&mut interest), None);
    }

    #[test]
    fn what_comes_and_goes_while_there_is_no_stream() {
        let mut interest = Interest::new(ResourceType::Endpoint, true);
        for turn in 0..2 {
            interest.on_open();
            for name in 0..100 {
                interest.want(&name.to_string());
                interest.unwant(&name.to_string());
            }
            assert!(interest.added.is_empty() && interest.removed.is_empty());
            let name = format!("stays {turn}");
            interest.want(&name);
            let first = next_delta(&mut interest).unwrap();
            assert_eq!(first.resource_names_subscribe.len(), turn + 1);
            assert!(first.resource_names_unsubscribe.is_empty());
        }
    }

    #[test]
    fn delta() {
        let mut interest = Interest::new(ResourceType::Endpoint, true);
        interest.want("a");
        interest.want("b");
        interest.on_open();
        let first = next_delta(&mut interest).unwrap();
        assert_eq!(first.resource_names_subscribe, ["a", "b"]);
        interest.note_versions([("a", "1"), ("b", "2")].into_iter(), &[]);
        interest.accept("x", "n1");
        let ack = next_delta(&mut interest).unwrap();
        assert_eq!(ack.response_nonce, "n1");
        assert!(ack.resource_names_subscribe.is_empty());
        interest.want("c");
        interest.unwant("a");
        let change = next_delta(&mut interest).unwrap();
        assert_eq!(change.resource_names_subscribe, ["c"]);
        assert_eq!(change.resource_names_unsubscribe, ["a"]);
        assert_eq!(change.response_nonce, "");
        // What went and came back is asked for again: the control plane may not have sent it since.
        interest.unwant("c");
        interest.want("c");
        let again = next_delta(&mut interest).unwrap();
        assert_eq!(again.resource_names_subscribe, ["c"]);
        assert!(again.resource_names_unsubscribe.is_empty());
        assert_eq!(next_delta(&mut interest), None);
        interest.on_open();
        let again = next_delta(&mut interest).unwrap();
        assert_eq!(again.resource_names_subscribe, ["b", "c"]);
        assert_eq!(again.initial_resource_versions.len(), 1);
        assert_eq!(again.initial_resource_versions["b"], "2");
    }
}
