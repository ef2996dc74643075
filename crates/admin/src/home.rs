//! `/`: a page with a link or a form for each command.

use crate::commands::COMMANDS;
use crate::{AdminResponse, Call, page};

pub(crate) fn answer(_: &Call<'_>) -> AdminResponse {
    let mut rows = String::new();
    let commands = COMMANDS.iter().filter(|command| command.path != "/");
    for (place, command) in commands.enumerate() {
        page::command(command, place, &mut rows);
    }
    AdminResponse::html(page::begin(&rows) + page::END)
}
