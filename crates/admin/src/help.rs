//! `/help`: the commands and their parameters, as text.

use crate::commands::{COMMANDS, Kind};
use crate::{AdminResponse, Call};

pub(crate) fn answer(_: &Call<'_>) -> AdminResponse {
    AdminResponse::text(text())
}

/// The list, which answers to unknown paths end with too.
pub(crate) fn text() -> String {
    let mut out = String::from("admin commands are:\n");
    for command in COMMANDS {
        let post = if command.changes { " (POST)" } else { "" };
        out.push_str(&format!("  {}{post}: {}\n", command.path, command.about));
        for parameter in command.parameters {
            out.push_str(&format!("      {}: {}", parameter.name, parameter.about));
            if let Kind::OneOf(values) = parameter.kind {
                out.push_str(&format!("; One of ({})", values.join(", ")));
            }
            out.push('\n');
        }
    }
    out
}
