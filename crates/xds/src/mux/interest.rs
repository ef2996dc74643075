//! What is wanted of one type over one stream, and what the stream has to send for it: requests,
//! acknowledgements and refusals (Envoy's "xDS REST and gRPC protocol"). No I/O.

use crate::resource::ResourceType;
use nuncio_proto::Message;
use nuncio_proto::envoy::config::core::v3::Node;
use nuncio_proto::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use nuncio_proto::google::rpc::Status;
use std::collections::{BTreeMap, BTreeSet};

/// gRPC's INTERNAL: the code of every refusal, as Envoy's.
const INTERNAL: i32 = 13;

/// How long the text of a refusal may be, in bytes: beyond it peers refuse the headers of an
/// answer that repeats it.
const MAX_REASON: usize = 4096;

/// What the last response is answered with.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Answer {
    Accepted,
    Refused(String),
}

/// The names that are wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names {
    /// Whether all resources are wanted, whatever their names.
    pub all: bool,
    /// Those that are wanted by name.
    pub names: BTreeSet<String>,
}

/// One type on one stream, which is opened anew after it has ended.
#[derive(Debug)]
pub struct Interest {
    kind: ResourceType,
    delta: bool,
    wanted: Names,
    /// What this stream was told is wanted; none before its first request.
    told: Option<Names>,
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
            wanted: Names::default(),
            told: None,
            answer: None,
            nonce: String::new(),
            version: String::new(),
            versions: BTreeMap::new(),
        }
    }

    /// Replaces what is wanted.
    pub fn want(&mut self, wanted: Names) {
        let kept = |name: &String| wanted.all || wanted.names.contains(name);
        self.versions.retain(|name, _| kept(name));
        self.wanted = wanted;
    }

    /// Whether a resource is wanted by its name.
    pub fn wants(&self, name: &str) -> bool {
        self.wanted.names.contains(name)
    }

    /// A stream is open: it knows nothing of what was said before.
    pub fn on_open(&mut self) {
        self.told = None;
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
        let mut end = reason.len().min(MAX_REASON);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        self.answer = Some(Answer::Refused(reason[..end].to_owned()));
    }

    /// Notes the versions of resources that came one by one.
    pub fn note_versions<'a>(
        &mut self,
        added: impl Iterator<Item = (&'a str, &'a str)>,
        removed: &[String],
    ) {
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
        let first = self.told.is_none();
        let nothing = !self.wanted.all && self.wanted.names.is_empty();
        if first && nothing {
            return None;
        }
        let changed = self.told.as_ref() != Some(&self.wanted);
        if !changed && self.answer.is_none() {
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
        let told = self.told.replace(self.wanted.clone()).unwrap_or_default();
        Some(if self.delta {
            self.delta_request(&told, first, node, error_detail)
        } else {
            self.full_request(node, error_detail)
        })
    }

    fn full_request(&self, node: Option<Node>, error_detail: Option<Status>) -> Vec<u8> {
        let names = self.wanted.names.iter().cloned();
        let request = DiscoveryRequest {
            version_info: self.version.clone(),
            node,
            // All are wanted where no name is said.
            resource_names: if self.wanted.all {
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
        told: &Names,
        first: bool,
        node: Option<Node>,
        error_detail: Option<Status>,
    ) -> Vec<u8> {
        let new = self.wanted.names.difference(&told.names).cloned();
        let gone = told.names.difference(&self.wanted.names).cloned();
        let request = DeltaDiscoveryRequest {
            node,
            type_url: self.kind.type_url(),
            resource_names_subscribe: if self.wanted.all {
                Vec::new()
            } else {
                new.collect()
            },
            resource_names_unsubscribe: gone.collect(),
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

    fn names(names: &[&str]) -> Names {
        Names {
            all: false,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

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
        interest.want(names(&["a"]));
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
        interest.want(names(&["a", "b"]));
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
        interest.want(names(&[]));
        assert!(next(&mut interest).unwrap().resource_names.is_empty());
        assert_eq!(next(&mut interest), None);
    }

    #[test]
    fn delta() {
        let mut interest = Interest::new(ResourceType::Endpoint, true);
        interest.want(names(&["a", "b"]));
        interest.on_open();
        let first = next_delta(&mut interest).unwrap();
        assert_eq!(first.resource_names_subscribe, ["a", "b"]);
        interest.note_versions([("a", "1"), ("b", "2")].into_iter(), &[]);
        interest.accept("x", "n1");
        let ack = next_delta(&mut interest).unwrap();
        assert_eq!(ack.response_nonce, "n1");
        assert!(ack.resource_names_subscribe.is_empty());
        interest.want(names(&["b", "c"]));
        let change = next_delta(&mut interest).unwrap();
        assert_eq!(change.resource_names_subscribe, ["c"]);
        assert_eq!(change.resource_names_unsubscribe, ["a"]);
        assert_eq!(change.response_nonce, "");
        interest.on_open();
        let again = next_delta(&mut interest).unwrap();
        assert_eq!(again.resource_names_subscribe, ["b", "c"]);
        assert_eq!(again.initial_resource_versions.len(), 1);
        assert_eq!(again.initial_resource_versions["b"], "2");
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let mut interest = Interest::new(ResourceType::Cluster, false);
        interest.want(Names {
            all: true,
            ..Names::default()
        });
        interest.on_open();
        interest.refuse("n", &"ä".repeat(4000));
        let nack = next(&mut interest).unwrap();
        assert_eq!(nack.error_detail.unwrap().message.len(), 4096);
    }
}
