//! Why a route table can't be built from what the config says.

use std::fmt;

/// A route table that config asks for and that can't be; the text is Envoy's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRoute {
    message: String,
    route: Option<(usize, usize)>,
}

impl InvalidRoute {
    /// An error with this text.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            route: None,
        }
    }

    /// The same error, of a route: by the place of its virtual host and its own in that.
    pub fn of_route(mut self, host: usize, route: usize) -> Self {
        self.route = Some((host, route));
        self
    }

    /// Which virtual host and which route of it is wrong, where that is known.
    pub fn route(&self) -> Option<(usize, usize)> {
        self.route
    }

    /// The text.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for InvalidRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for InvalidRoute {}
