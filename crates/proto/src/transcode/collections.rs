//! Lists and maps.

use crate::error::ErrorKind;
use crate::reflect::{FieldRef, Kind, MessageRef, WellKnown};
use crate::transcode::{Scalar, Transcoder, integer_of, takes_null};
use crate::tree::{NodeId, NodeKind};
use crate::wire;

impl Transcoder<'_> {
    pub(super) fn list(&mut self, node: NodeId, field: FieldRef) {
        let mut elements = Vec::new();
        let single = self.tree.node(node).kind != NodeKind::List;
        if single {
            elements.push(node);
        } else {
            let lists = field.message().and_then(MessageRef::well_known);
            let flatten = !matches!(lists, Some(WellKnown::Value | WellKnown::ListValue));
            self.elements(node, flatten, &mut elements);
        }
        if field.is_packed() && !elements.is_empty() {
            let start = wire::begin(&mut self.out, field.number());
            for (index, element) in elements.into_iter().enumerate() {
                self.path.push_index(index);
                if let Some(value) = self.scalar(element, field) {
                    value.put(&mut self.out);
                }
                self.path.pop();
            }
            wire::end(&mut self.out, start);
            return;
        }
        for (index, element) in elements.into_iter().enumerate() {
            self.path.push_index(index);
            if self.visit(element) {
                self.element(element, field);
            }
            self.path.pop();
        }
    }

    /// The elements of a list; a list in a list stands for its elements, as in protobuf's parser.
    fn elements(&mut self, list: NodeId, flatten: bool, out: &mut Vec<NodeId>) {
        for child in self.tree.children(list) {
            if flatten && self.tree.node(child).kind == NodeKind::List {
                if self.visit(child) {
                    self.elements(child, flatten, out);
                }
            } else {
                out.push(child);
            }
        }
    }

    fn element(&mut self, node: NodeId, field: FieldRef) {
        let null = self.tree.node(node).kind == NodeKind::Null;
        match field.kind() {
            // A null element is the type's default value.
            Kind::Message if null && !takes_null(field) => {
                wire::put_bytes(&mut self.out, field.number(), &[]);
            }
            Kind::String | Kind::Bytes if null => {
                wire::put_bytes(&mut self.out, field.number(), &[]);
            }
            _ => self.single(node, field, true),
        }
    }

    pub(super) fn map(&mut self, node: NodeId, field: FieldRef, entry: MessageRef) {
        if self.tree.node(node).kind != NodeKind::Map {
            self.mismatch(node, "an object (a map)");
            return;
        }
        let (Some(key_field), Some(value_field)) = (entry.field(1), entry.field(2)) else {
            return;
        };
        let mut keys = std::collections::HashSet::new();
        self.depth += 1;
        for child in self.tree.children(node) {
            let key = self.tree.key(child);
            self.path.push_key(key);
            if !keys.insert(key) {
                let text = format!("got unexpectedly-repeated repeated map key: '{key}'");
                let mark = self.tree.place(child).key_mark;
                self.push_error(ErrorKind::Parse, mark, text, None);
            }
            let start = wire::begin(&mut self.out, field.number());
            self.map_key(child, key_field);
            match self.tree.node(child).kind {
                NodeKind::Null if value_field.kind() == Kind::Message => {
                    self.element(child, value_field);
                }
                NodeKind::Null => {}
                _ => self.single(child, value_field, false),
            }
            wire::end(&mut self.out, start);
            self.path.pop();
        }
        self.depth -= 1;
    }

    fn map_key(&mut self, node: NodeId, field: FieldRef) {
        let key = self.tree.key(node);
        if field.kind() == Kind::String {
            wire::put_bytes(&mut self.out, field.number(), key.as_bytes());
            return;
        }
        let value = match field.kind() {
            Kind::Bool => key
                .parse::<bool>()
                .ok()
                .map(|value| Scalar::Varint(value.into())),
            _ => integer_of(key, field.kind()).ok(),
        };
        match value {
            Some(value) => {
                wire::put_tag(&mut self.out, field.number(), value.wire_type());
                value.put(&mut self.out);
            }
            None => self.error(node, format!("invalid map key: '{key}'")),
        }
    }
}
