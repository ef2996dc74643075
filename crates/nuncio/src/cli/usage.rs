//! What `--help` and a mistake print, laid out as TCLAP does.

use super::flags::{FLAGS, Flag, Takes};
use super::grammar::ParseError;

const WIDTH: usize = 75;

const ABOUT: &str = "nuncio\n\n'nuncio demo' serves an embedded example: a front proxy on \
    127.0.0.1:10000 for four small services, with the admin on 127.0.0.1:9901.";

/// The answer to `--help`.
pub fn help(program: &str) -> String {
    let mut out = String::from("\nUSAGE: \n\n");
    short_usage(&mut out, program);
    out.push_str("\n\nWhere: \n\n");
    for flag in FLAGS {
        let kind = value_name(flag.takes);
        let mut line = match flag.short {
            Some('-') => "--,  ".to_owned(),
            Some(letter) => format!("-{letter}{kind},  "),
            None => String::new(),
        };
        line.push_str(&format!("--{}{kind}", flag.long));
        if flag.takes == Takes::Texts {
            line.push_str("  (accepted multiple times)");
        }
        wrap(&mut out, &line, 3, 3);
        wrap(&mut out, flag.about, 5, 0);
        out.push('\n');
    }
    out.push('\n');
    wrap(&mut out, ABOUT, 3, 0);
    out.push('\n');
    out
}

/// What a mistake prints.
pub fn failure(program: &str, error: &ParseError) -> String {
    let ParseError { argument, text } = error;
    let mut out =
        format!("PARSE ERROR: Argument: {argument}\n             {text}\n\nBrief USAGE: \n");
    short_usage(&mut out, program);
    out.push_str(&format!(
        "\nFor complete USAGE and HELP type: \n   {program} --help\n\n{argument} -- {text}\n"
    ));
    out
}

fn short_usage(out: &mut String, program: &str) {
    let mut line = format!("{program} ");
    for flag in FLAGS {
        line.push_str(&short_form(flag));
    }
    wrap(out, &line, 3, (program.len() + 2).min(WIDTH / 2));
}

fn short_form(flag: &Flag) -> String {
    let kind = value_name(flag.takes);
    let more = if flag.takes == Takes::Texts {
        " ..."
    } else {
        ""
    };
    match flag.short {
        Some('-') => " [--]".into(),
        Some(letter) => format!(" [-{letter}{kind}]"),
        None => format!(" [--{}{kind}]{more}", flag.long),
    }
}

fn value_name(takes: Takes) -> &'static str {
    match takes {
        Takes::Nothing => "",
        Takes::Text | Takes::Texts => " <string>",
        Takes::Number => " <uint32_t>",
    }
}

/// Breaks `text` into lines of at most [`WIDTH`] columns after a space, a comma or a bar; lines
/// after the first are indented by `hang` more.
fn wrap(out: &mut String, text: &str, indent: usize, hang: usize) {
    let mut indent = indent;
    for (index, paragraph) in text.split('\n').enumerate() {
        let mut rest = paragraph;
        let mut first = index == 0;
        loop {
            let room = WIDTH - indent;
            let line = line_of(rest, room);
            out.push_str(&" ".repeat(indent));
            out.push_str(line);
            out.push('\n');
            rest = rest[line.len()..].trim_start_matches(' ');
            if first {
                indent += hang;
                first = false;
            }
            if rest.is_empty() {
                break;
            }
        }
    }
}

/// The longest beginning of `text` that fits and ends where a line may; a word that is too long is
/// broken where the line ends.
fn line_of(text: &str, room: usize) -> &str {
    if text.len() <= room {
        return text;
    }
    let at = |byte: usize| text.as_bytes()[byte];
    let end = (1..=room)
        .rev()
        .find(|end| matches!(at(*end), b' ' | b',' | b'|'))
        .unwrap_or(room);
    text.get(..end).unwrap_or(text)
}
