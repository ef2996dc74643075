//! Pages for people: the commands as links and forms.

use crate::commands::{Command, Kind, Parameter};

const HEAD: &str = "<!DOCTYPE html>
<html lang='en'>
<head>
  <meta charset='utf-8'>
  <title>Envoy Admin</title>
  <style>
    body { font-family: sans-serif; }
    table { border-collapse: collapse; }
    th, td { padding: 4px; text-align: left; vertical-align: top; }
    td.option { text-align: right; }
    tr.gray { background-color: #ddd; }
    form { margin: 0; }
  </style>
</head>
<body>
  <table>
    <thead><tr><th>Command</th><th>Description</th></tr></thead>
    <tbody>
";

/// What ends [`begin`].
pub(crate) const END: &str = "</body>\n</html>\n";

/// The beginning of a page, up to the end of its table.
pub(crate) fn begin(rows: &str) -> String {
    format!("{HEAD}{rows}    </tbody>\n  </table>\n")
}

/// The rows of a command: a link, or a form with its parameters.
pub(crate) fn command(command: &Command, place: usize, out: &mut String) {
    let path = escape(command.path.trim_start_matches('/'));
    let class = if place.is_multiple_of(2) {
        ""
    } else {
        " class='gray'"
    };
    let method = if command.changes { "post" } else { "get" };
    let start = if command.parameters.is_empty() && !command.changes {
        format!("<a href='{path}'>{path}</a>")
    } else {
        format!(
            "<form action='{path}' method='{method}' id='{}'><button>{path}</button></form>",
            id_of(command)
        )
    };
    let about = escape(command.about);
    out.push_str(&format!(
        "<tr{class}><td>{start}</td><td>{about}</td></tr>\n"
    ));
    for parameter in command.parameters {
        row(command, parameter, class, None, out);
    }
}

/// The rows of a form that is already filled in, and sent anew whenever that changes.
pub(crate) fn filled(command: &Command, given: &[(String, String)], out: &mut String) {
    let path = escape(command.path.trim_start_matches('/'));
    let id = id_of(command);
    out.push_str(&format!(
        "<tr><td><form action='{path}' method='get' id='{id}'></form></td><td></td></tr>\n"
    ));
    for parameter in command.parameters {
        row(command, parameter, " class='gray'", Some(given), out);
    }
}

fn row(
    command: &Command,
    parameter: &Parameter,
    class: &str,
    given: Option<&[(String, String)]>,
    out: &mut String,
) {
    let (form, name) = (id_of(command), escape(parameter.name));
    let id = format!("param-{form}-{name}");
    let value = given.and_then(|given| given.iter().find(|(known, _)| known == parameter.name));
    let value = value.map(|(_, value)| escape(value));
    let submit = match given {
        Some(_) => " onchange='this.form.submit()'",
        None => "",
    };
    let common = format!("name='{name}' id='{id}' form='{form}'{submit}");
    let input = match parameter.kind {
        Kind::Flag => {
            let checked = if value.is_some() { " checked" } else { "" };
            format!("<input type='checkbox' {common}{checked}>")
        }
        Kind::Text => {
            let value = value.map_or_else(String::new, |value| format!(" value='{value}'"));
            format!("<input type='text' {common}{value}>")
        }
        Kind::OneOf(values) => {
            let option = |one: &&str| {
                let selected = value.as_deref() == Some(*one);
                let selected = if selected { " selected" } else { "" };
                format!("<option value='{0}'{selected}>{0}</option>", escape(one))
            };
            let options: String = values.iter().map(option).collect();
            format!("<select {common}>{options}</select>")
        }
    };
    let about = escape(parameter.about);
    out.push_str(&format!(
        "<tr{class}><td class='option'>{input}</td><td><label for='{id}'>{about}</label></td></tr>\n"
    ));
}

fn id_of(command: &Command) -> String {
    escape(command.path.trim_start_matches('/')).replace('/', "-")
}

/// Text that is safe between tags and in a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
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
