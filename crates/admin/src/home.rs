//! `/`: a page with a link or a form for each command.

use crate::commands::{COMMANDS, Command, Parameter};
use crate::{AdminResponse, Call};

pub(crate) fn answer(_: &Call<'_>) -> AdminResponse {
    let mut page = String::from(
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n  <meta charset='utf-8'>\n  \
         <title>Envoy Admin</title>\n  <style>\n    body { font-family: sans-serif; }\n    \
         td { padding: 4px; vertical-align: top; }\n    form { margin: 0; }\n  </style>\n</head>\n\
         <body>\n<table>\n",
    );
    for command in COMMANDS {
        write_command(&mut page, command);
    }
    page.push_str("</table>\n</body>\n</html>\n");
    AdminResponse::html(page)
}

fn write_command(page: &mut String, command: &Command) {
    let path = escape(command.path.trim_start_matches('/'));
    let method = if command.changes { "post" } else { "get" };
    page.push_str(&format!(
        "<tr><td><form action='{path}' method='{method}' id='{path}'>\
         <button>{path}</button></form></td><td>{}</td></tr>\n",
        escape(command.about)
    ));
    for parameter in command.parameters {
        page.push_str(&format!(
            "<tr><td align='right'>{}</td><td>{}</td></tr>\n",
            input(&path, parameter),
            escape(parameter.about)
        ));
    }
}

fn input(form: &str, parameter: &Parameter) -> String {
    let name = escape(parameter.name);
    if parameter.values.is_empty() {
        return format!("{name} <input type='text' name='{name}' form='{form}'>");
    }
    let options: String = parameter
        .values
        .iter()
        .map(|value| format!("<option>{}</option>", escape(value)))
        .collect();
    format!("{name} <select name='{name}' form='{form}'>{options}</select>")
}

/// Text that is safe between tags and in a quoted attribute.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
