//! `google.protobuf.Any` in JSON: `@type` says what the other fields are.

use crate::error::ErrorKind;
use crate::reflect::{self, MessageRef, WellKnown};
use crate::transcode::Transcoder;
use crate::tree::{NodeId, NodeKind};
use crate::{suggest, wire};

impl<'t> Transcoder<'t> {
    pub(super) fn any(&mut self, node: NodeId) {
        if self.tree.node(node).kind != NodeKind::Map {
            self.mismatch(node, "an object with an \"@type\"");
            return;
        }
        let types = self
            .tree
            .children(node)
            .filter(|&child| self.tree.key(child) == "@type");
        let Some(type_node) = types.last() else {
            if self.tree.children(node).next().is_some() {
                let text = "missing @type in Any is only allowed for an empty object";
                self.error(node, text);
            }
            return;
        };
        let Some((url, message)) = self.any_type(type_node) else {
            return;
        };
        wire::put_bytes(&mut self.out, 1, url.as_bytes());
        let start = wire::begin(&mut self.out, 2);
        // What an Any holds is decoded on its own; the text's depth bounds how deep Anys nest.
        let depth = std::mem::replace(&mut self.depth, 0);
        match message.well_known() {
            None | Some(WellKnown::Empty | WellKnown::TypedStruct) => {
                self.fields(node, message, true);
            }
            Some(kind) => self.well_known_any(node, message, kind),
        }
        self.depth = depth;
        wire::end(&mut self.out, start);
    }

    fn any_type(&mut self, node: NodeId) -> Option<(&'t str, MessageRef)> {
        let url = self.string(node)?;
        let Some((host, name)) = url.rsplit_once('/').filter(|(host, _)| !host.is_empty()) else {
            let text = format!("@type must contain at least one / and a nonempty host; got: {url}");
            let mark = self.tree.place(node).mark;
            let known = reflect::message(url).map(|_| format!("write type.googleapis.com/{url}"));
            self.push_error(ErrorKind::Parse, mark, text, known);
            return None;
        };
        let mark = self.tree.place(node).mark;
        match reflect::message(name).filter(|message| !message.is_absent()) {
            Some(message) if message.not_built() => {
                let text = format!("not built: type {}", message.name());
                self.push_error(ErrorKind::NotBuilt, mark, text, None);
                None
            }
            Some(message) => Some((url, message)),
            None => {
                let hint = similar_type(name).map(|name| format!("did you mean '{host}/{name}'?"));
                let text = format!("could not find @type '{url}'");
                self.push_error(ErrorKind::Parse, mark, text, hint);
                None
            }
        }
    }

    fn well_known_any(&mut self, node: NodeId, message: MessageRef, kind: WellKnown) {
        for child in self.tree.children(node) {
            match self.tree.key(child) {
                "@type" => {}
                "value" => self.well_known(child, message, kind),
                _ => self.error(
                    child,
                    "fields in a well-known-typed Any must be @type or value",
                ),
            }
        }
    }
}

/// A known type of that name in another package (the v3 type for a v2 one), or a similar name.
fn similar_type(wrong: &str) -> Option<&'static str> {
    let (package, short) = wrong.rsplit_once('.')?;
    let known = || reflect::messages().filter(|message| !message.is_absent());
    let shared = |name: &str| {
        let name = name.rsplit_once('.').map_or("", |(package, _)| package);
        name.split('.')
            .filter(|part| package.split('.').any(|other| other == *part))
            .count()
    };
    let same_name = known().filter(|message| message.short_name() == short);
    let best = same_name.min_by_key(|message| std::cmp::Reverse(shared(message.name())));
    match best {
        Some(best) => Some(best.name()),
        None => suggest::closest(wrong, known().map(|message| message.name())),
    }
}
