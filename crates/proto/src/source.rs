//! Where in its text a field of a loaded config stands.

use std::borrow::Cow;
use std::sync::Arc;

use crate::error::Location;
use crate::load::Format;
use crate::path::{FieldPath, Step};
use crate::tree::{Mark, NodeId, NodeKind, SyntaxError, Tree, json, yaml};

/// The texts that a config was made of, kept while it is being converted so that an error that only
/// shows then can still say file, line and column. Drop it when the config stands.
#[derive(Debug, Default)]
pub struct SourceMap {
    /// In the order of merging.
    texts: Vec<Text>,
}

#[derive(Debug)]
struct Text {
    file: Arc<str>,
    format: Format,
    /// Of a JSON text that is unfolded the tree has the text.
    content: Vec<u8>,
    /// Three times as large as the text, and needed for places only.
    tree: Option<Tree>,
}

impl SourceMap {
    /// The map of one text, from which `tree` was made. Of JSON the tree has the content.
    pub(crate) fn new(file: Arc<str>, format: Format, content: Vec<u8>, tree: Tree) -> Self {
        Self {
            texts: vec![Text {
                file,
                format,
                content,
                tree: Some(tree),
            }],
        }
    }

    /// Adds the texts of a config that was merged over this one.
    pub(crate) fn merge(&mut self, over: Self) {
        self.texts.extend(over.texts);
    }

    /// Keeps nothing but the texts: where there are errors they are parsed again.
    pub(crate) fn fold(&mut self) {
        for text in &mut self.texts {
            if let Some(tree) = text.tree.take()
                && text.format == Format::Json
            {
                text.content = tree.into_text().into_bytes();
            }
        }
    }

    /// The place of a field; if it does not stand in the text, that of the message it belongs to.
    pub fn locate(&self, path: &FieldPath) -> Option<Location> {
        self.places().locate(path)
    }

    /// The texts parsed, to look for many places.
    pub(crate) fn places(&self) -> Places<'_> {
        let texts = self.texts.iter().filter_map(|text| {
            let tree = match &text.tree {
                Some(tree) => Cow::Borrowed(tree),
                // It was parsed before, so that it can be parsed.
                None => Cow::Owned(parse(text.content.clone(), text.format).ok()?.0),
            };
            Some((&text.file, tree))
        });
        Places {
            texts: texts.collect(),
        }
    }
}

/// Parses a text. What is given back beside the tree is the content, but for a JSON text, which is
/// in the tree.
pub(crate) fn parse(content: Vec<u8>, format: Format) -> Result<(Tree, Vec<u8>), SyntaxError> {
    if format == Format::Yaml {
        // As Envoy's YAML library: bytes that are no UTF-8 become U+FFFD.
        let tree = yaml::parse(&String::from_utf8_lossy(&content))?;
        let kind = tree.root().map(|root| tree.node(root).kind);
        return match kind {
            Some(NodeKind::Map | NodeKind::List) => Ok((tree, content)),
            _ => {
                let message =
                    "Unable to convert YAML as JSON: the document is empty or a scalar".to_owned();
                Err(SyntaxError {
                    mark: Mark { line: 1, column: 1 },
                    message,
                })
            }
        };
    }
    match String::from_utf8(content) {
        Ok(text) => Ok((json::parse(text)?, Vec::new())),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let before = &error.as_bytes()[..valid];
            let line = before.iter().filter(|&&byte| byte == b'\n').count() as u32 + 1;
            let column = before
                .iter()
                .rev()
                .take_while(|&&byte| byte != b'\n')
                .count() as u32
                + 1;
            let message = "Invalid UTF-8 string".to_owned();
            Err(SyntaxError {
                mark: Mark { line, column },
                message,
            })
        }
    }
}

/// Texts parsed to trees.
pub(crate) struct Places<'a> {
    texts: Vec<(&'a Arc<str>, Cow<'a, Tree>)>,
}

impl Places<'_> {
    /// As [`SourceMap::locate`].
    pub fn locate(&self, path: &FieldPath) -> Option<Location> {
        let roots = self.texts.iter().enumerate();
        let mut here: Vec<(usize, NodeId)> = roots
            .filter_map(|(text, (_, tree))| Some((text, tree.root()?)))
            .collect();
        for step in path.steps() {
            let next = self.step(&here, step);
            if next.is_empty() {
                break;
            }
            here = next;
        }
        // Of several texts that set a field the last one counts.
        let (text, node) = *here.last()?;
        let (file, tree) = &self.texts[text];
        let mark = tree.place(node).key_mark;
        Some(Location {
            file: Arc::clone(file),
            line: mark.line,
            column: mark.column,
        })
    }

    fn step(&self, here: &[(usize, NodeId)], step: &Step) -> Vec<(usize, NodeId)> {
        let mut next = Vec::new();
        let mut before = 0;
        for &(text, node) in here {
            let tree = &self.texts[text].1;
            match step {
                Step::Field(name) => {
                    next.extend(fields(tree, node, name).into_iter().map(|id| (text, id)));
                }
                Step::Key(key) => {
                    let found = tree
                        .children(node)
                        .filter(|&child| tree.key(child) == &**key);
                    next.extend(found.map(|child| (text, child)));
                }
                // Lists of merged texts stand one behind the other.
                Step::Index(index) => {
                    let elements = elements(tree, node);
                    let found = index.checked_sub(before).and_then(|at| elements.get(at));
                    next.extend(found.map(|&element| (text, element)));
                    before += elements.len();
                }
            }
        }
        next
    }
}

/// The children that are the field `name`, in either spelling; a `TypedStruct`'s are its value's.
fn fields(tree: &Tree, node: NodeId, name: &str) -> Vec<NodeId> {
    let named = |node: NodeId| -> Vec<NodeId> {
        tree.children(node)
            .filter(|&child| same_name(tree.key(child), name))
            .collect()
    };
    let found = named(node);
    if !found.is_empty() {
        return found;
    }
    let child = |key: &str| tree.children(node).find(|&child| tree.key(child) == key);
    match (child("@type"), child("value")) {
        (Some(_), Some(value)) => named(value),
        _ => found,
    }
}

/// Whether `key` is the field `name` as in the proto or in lowerCamel.
fn same_name(key: &str, name: &str) -> bool {
    if key == name {
        return true;
    }
    let mut letters = key.chars();
    let mut upper = false;
    for expected in name.chars() {
        if expected == '_' {
            upper = true;
            continue;
        }
        let expected = if upper {
            expected.to_ascii_uppercase()
        } else {
            expected
        };
        upper = false;
        if letters.next() != Some(expected) {
            return false;
        }
    }
    letters.next().is_none()
}

fn elements(tree: &Tree, node: NodeId) -> Vec<NodeId> {
    if tree.node(node).kind != NodeKind::List {
        return vec![node];
    }
    let mut all = Vec::new();
    for child in tree.children(node) {
        match tree.node(child).kind {
            NodeKind::List => all.extend(tree.children(child)),
            _ => all.push(child),
        }
    }
    all
}
