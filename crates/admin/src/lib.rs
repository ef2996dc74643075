//! Answers the admin port: one file per endpoint.
//!
//! Nothing here does I/O or keeps state: [`Admin::handle`] takes a request apart, finds the command
//! in `commands`, and lets the endpoint answer from what [`AdminServer`] shows. The server puts it
//! behind an HTTP connection manager, so that admin traffic is counted and logged as in Envoy.

mod certs;
mod clusters;
mod commands;
mod config_dump;
mod contention;
mod csds;
mod drain_listeners;
#[cfg(test)]
mod fake;
mod healthcheck;
mod help;
mod home;
mod hot_restart_version;
mod init_dump;
mod json;
pub mod listeners;
mod logging;
mod memory;
mod not_built;
mod page;
mod quitquitquit;
mod ready;
mod recent_lookups;
mod reopen_logs;
mod request;
mod reset_counters;
mod response;
mod runtime;
mod server;
mod server_info;
mod stats;
mod stats_page;
#[cfg(test)]
mod tests;
mod view;

use std::rc::Rc;

use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_matching::string::StringMatcher;

use commands::{COMMANDS, MORE_COMMANDS};
pub use request::AdminRequest;
use request::Target;
pub use response::{AdminBody, AdminResponse};
pub use server::AdminServer;
pub use view::{
    ClusterView, ConfigSection, DrainRequest, HostView, ListenerView, LocalityView, MemoryView,
    OutlierView, ServerState, ThresholdsView, UnreadyTargets, Uptime,
};

/// The admin interface of one process; lives on main.
pub struct Admin {
    server: Rc<dyn AdminServer>,
    allow_paths: Vec<StringMatcher>,
}

impl Admin {
    /// The admin over `server`; of `allow_paths`, if there are any, one must match a request's path
    /// and query.
    pub fn new(server: Rc<dyn AdminServer>, allow_paths: Vec<StringMatcher>) -> Self {
        Self {
            server,
            allow_paths,
        }
    }

    /// Answers a request.
    pub fn handle(&self, request: &AdminRequest<'_>) -> AdminResponse {
        let target = Target::of(request.path_and_query);
        if !self.allows(&target) {
            log!(
                logger::ADMIN,
                Level::Info,
                "Request to admin interface path {} is not allowed",
                target.text()
            );
            let text = format!("request to path {} not allowed", target.text());
            return AdminResponse::error(403, text);
        }
        let command = COMMANDS
            .iter()
            .chain(MORE_COMMANDS)
            .find(|command| command.path == target.path());
        let Some(command) = command else {
            return AdminResponse::error(404, format!("invalid path. {}", help::text()));
        };
        if command.changes && request.method != "POST" {
            log!(
                logger::ADMIN,
                Level::Error,
                "admin path \"{}\" mutates state, method={} rather than POST",
                command.path,
                request.method
            );
            let text = format!("Method {} not allowed, POST required.", request.method);
            return AdminResponse::error(405, text);
        }
        log!(
            logger::ADMIN,
            Level::Debug,
            "request complete: path: {}",
            target.text()
        );
        (command.answer)(&Call {
            server: &*self.server,
            target: &target,
            request,
        })
    }

    fn allows(&self, target: &Target<'_>) -> bool {
        let mut paths = self.allow_paths.iter();
        self.allow_paths.is_empty() || paths.any(|path| path.matches(target.text().as_bytes()))
    }
}

/// What an endpoint answers from.
struct Call<'a> {
    server: &'a dyn AdminServer,
    target: &'a Target<'a>,
    request: &'a AdminRequest<'a>,
}

impl Call<'_> {
    /// The parameters of the query, decoded, in order.
    fn parameters(&self) -> Vec<(String, String)> {
        request::parameters(self.target.query())
    }

    /// The first value of a parameter; none where it is absent or empty.
    fn parameter(&self, name: &str) -> Option<String> {
        let mut parameters = self.parameters().into_iter();
        let (_, value) = parameters.find(|(found, _)| found == name)?;
        Some(value).filter(|value| !value.is_empty())
    }

    /// Whether a parameter is there at all.
    fn has(&self, name: &str) -> bool {
        self.parameters().iter().any(|(found, _)| found == name)
    }
}
