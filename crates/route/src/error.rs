//! Why a route table can't be built from what the config says.

use std::fmt;

/// A route table that config asks for and that can't be; the text is Envoy's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRoute(String);

impl InvalidRoute {
    /// An error with this text.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// The text.
    pub fn message(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InvalidRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidRoute {}
