//! A config text as a tree with marks: what YAML and JSON parse to, and where locations come from.
//!
//! The nodes lie in one vector in the order of the text, a node's children right behind it, and
//! each knows where the node after its subtree is. Scalars are kept as text; what they mean is the
//! business of the field they are for.

pub mod json;
pub mod yaml;

/// A place in the text: line and column from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    pub line: u32,
    pub column: u32,
}

/// What a node is, after the format's own rules: a YAML `yes` is a `Bool`, a quoted "5" a `String`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    Null,
    Bool(bool),
    /// A number; its text is a JSON number.
    Number,
    String,
    List,
    Map,
    /// Stands for another node (YAML aliases).
    Alias(u32),
}

/// A piece of the tree's text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    start: u32,
    len: u32,
}

/// A value, and the key it stands under if it is in a mapping.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    pub kind: NodeKind,
    pub mark: Mark,
    pub key_mark: Mark,
    text: Span,
    key: Span,
    /// The index behind this node's subtree.
    end: u32,
    /// Left out of its mapping.
    hidden: bool,
}

/// Index of a node.
pub type NodeId = u32;

/// A parsed text. The first node is the root.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The text of the file, and behind it what had to be unescaped.
    text: String,
    /// How much of it is the file's.
    file_len: usize,
    nodes: Vec<Node>,
    /// Nodes that were left out because their key stands in the mapping again.
    pub duplicates: Vec<NodeId>,
}

/// How deep a text may be nested: more than any config that can be decoded, far less than a stack.
pub const MAX_DEPTH: usize = 200;

/// The largest text that is read, in bytes: spans are 32 bits wide.
pub const MAX_TEXT: usize = 1 << 30;

impl Tree {
    /// An empty tree over a text; a parser adds the nodes.
    pub fn new(text: String) -> Self {
        Self {
            file_len: text.len(),
            text,
            nodes: Vec::new(),
            duplicates: Vec::new(),
        }
    }

    /// The text that the tree was made over.
    pub fn into_text(mut self) -> String {
        self.text.truncate(self.file_len);
        self.text
    }

    /// The root; an empty text has none.
    pub fn root(&self) -> Option<NodeId> {
        (!self.nodes.is_empty()).then_some(0)
    }

    /// The node itself, behind aliases. An alias points backwards to a node that is none, so this
    /// takes one step.
    pub fn node(&self, id: NodeId) -> &Node {
        let node = &self.nodes[id as usize];
        match node.kind {
            NodeKind::Alias(target) => &self.nodes[target as usize],
            _ => node,
        }
    }

    /// The node where it is used: an alias's own place and key.
    pub fn place(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    /// The text of a scalar.
    pub fn text(&self, id: NodeId) -> &str {
        self.span(self.node(id).text)
    }

    /// The key that a node stands under; empty for list elements.
    pub fn key(&self, id: NodeId) -> &str {
        self.span(self.nodes[id as usize].key)
    }

    /// The children of a list or mapping, in the order of the text.
    pub fn children(&self, id: NodeId) -> Children<'_> {
        let id = match self.nodes[id as usize].kind {
            NodeKind::Alias(target) => target,
            _ => id,
        };
        let node = &self.nodes[id as usize];
        match node.kind {
            NodeKind::List | NodeKind::Map => Children {
                tree: self,
                next: id + 1,
                end: node.end,
            },
            _ => Children {
                tree: self,
                next: 0,
                end: 0,
            },
        }
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    fn span(&self, span: Span) -> &str {
        self.text
            .get(span.start as usize..(span.start + span.len) as usize)
            .unwrap_or_default()
    }

    /// Appends text that does not stand in the file as it is.
    pub fn add_text(&mut self, text: &str) -> Span {
        let span = Span {
            start: self.text.len() as u32,
            len: text.len() as u32,
        };
        self.text.push_str(text);
        span
    }

    /// A piece of the file's text.
    pub fn text_span(start: usize, end: usize) -> Span {
        Span {
            start: start as u32,
            len: (end - start) as u32,
        }
    }

    /// The file's text, with what was unescaped so far behind it.
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Adds a node; of a list or mapping `close` sets the end.
    pub fn add(
        &mut self,
        kind: NodeKind,
        text: Span,
        mark: Mark,
        key: Option<(Span, Mark)>,
    ) -> u32 {
        let id = self.nodes.len() as u32;
        let (key, key_mark) = key.unwrap_or((Span::default(), mark));
        self.nodes.push(Node {
            kind,
            mark,
            key_mark,
            text,
            key,
            end: id + 1,
            hidden: false,
        });
        id
    }

    /// Ends the list or mapping `id`: its children are the nodes added since.
    pub fn close(&mut self, id: NodeId) {
        self.nodes[id as usize].end = self.nodes.len() as u32;
    }

    /// Leaves the node out of its mapping; aliases may still stand for it.
    pub fn hide(&mut self, id: NodeId) {
        self.nodes[id as usize].hidden = true;
    }
}

/// Iterates over the children of a node.
#[derive(Clone)]
pub struct Children<'a> {
    tree: &'a Tree,
    next: u32,
    end: u32,
}

impl Iterator for Children<'_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        while self.next < self.end {
            let id = self.next;
            let node = &self.tree.nodes[id as usize];
            self.next = node.end;
            if !node.hidden {
                return Some(id);
            }
        }
        None
    }
}

/// A text that cannot be parsed.
#[derive(Debug)]
pub struct SyntaxError {
    pub mark: Mark,
    pub message: String,
}
