//! An answer of the admin: status, the headers that every answer has, and the body in pieces.

/// An answer.
#[derive(Debug)]
pub struct AdminResponse {
    /// The status.
    pub status: u16,
    /// The `content-type`.
    pub content_type: &'static str,
    /// The body; sent chunked.
    pub body: AdminBody,
}

/// A body, whole or made piece by piece as it is sent.
pub enum AdminBody {
    /// All of it.
    Whole(Vec<u8>),
    /// Pieces; one may be empty, where others should have their turn first.
    Pieces(Box<dyn Iterator<Item = String>>),
}

impl std::fmt::Debug for AdminBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(body) => f.write_str(&String::from_utf8_lossy(body)),
            Self::Pieces(_) => f.write_str("pieces"),
        }
    }
}

impl Iterator for AdminBody {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Whole(body) if body.is_empty() => None,
            Self::Whole(body) => Some(std::mem::take(body)),
            Self::Pieces(pieces) => pieces.next().map(String::into_bytes),
        }
    }
}

const TEXT: &str = "text/plain; charset=UTF-8";

impl AdminResponse {
    /// A text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::of(200, TEXT, text)
    }

    /// A text that says why not.
    pub(crate) fn error(status: u16, text: impl Into<String>) -> Self {
        Self::of(status, TEXT, text)
    }

    /// What a command that did something answers.
    pub(crate) fn ok() -> Self {
        Self::text("OK\n")
    }

    /// JSON.
    pub(crate) fn json(text: String) -> Self {
        Self::of(200, "application/json", text)
    }

    /// A page.
    pub(crate) fn html(text: String) -> Self {
        Self::of(200, "text/html; charset=UTF-8", text)
    }

    pub(crate) fn of(status: u16, content_type: &'static str, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type,
            body: AdminBody::Whole(body.into().into_bytes()),
        }
    }

    /// The headers besides the status, in Envoy's order.
    pub fn headers(&self) -> [(&'static str, &'static str); 3] {
        [
            ("content-type", self.content_type),
            ("cache-control", "no-cache, max-age=0"),
            ("x-content-type-options", "nosniff"),
        ]
    }
}
