//! Where the outside may be named: protos at the edges, tokio in the shells.

use crate::lexer::{Kind, Token};
use crate::list::List;
use crate::tree::{File, Finding, Tree, texts};

/// Files and folders that may name tokio, each with its reason.
const TOKIO: &str = "xtask/lists/tokio.txt";

/// The generated types, by the crates that have them.
const PROTOS: [&str; 3] = ["nuncio_proto", "envoy_types", "prost"];

/// Objects to protos outside `config.rs` and `wire.rs` of extensions, and to tokio outside of what
/// the list names.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let tokio = List::of(tree, TOKIO);
    let mut findings = Vec::new();
    for file in tree.rust() {
        if file.path.starts_with("extensions/") && !may_name_protos(file) {
            findings.extend(protos(file));
        }
        let ours = file.path.starts_with("crates/") || file.path.starts_with("extensions/");
        if ours && !file.is_test() {
            findings.extend(shells(file, &tokio));
        }
    }
    findings.extend(tokio.stale());
    findings
}

fn may_name_protos(file: &File) -> bool {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    matches!(name, "config.rs" | "wire.rs") || file.is_test()
}

fn protos(file: &File) -> Vec<Finding> {
    let shipped = file.shipped();
    let named = shipped
        .iter()
        .filter(|token| token.kind == Kind::Word && PROTOS.contains(&token.text));
    let message = "protos are named only in config.rs, and in wire.rs where they are the protocol";
    named
        .map(|token| Finding::new(&file.path, token.line, message))
        .collect()
}

fn shells(file: &File, list: &List) -> Option<Finding> {
    let shipped = file.shipped();
    let mut places = (0..shipped.len()).filter(|&at| texts(&shipped[at..], &["tokio", ":", ":"]));
    let at = places.find(|&at| !is_inside(&shipped[..at]))?;
    let message = "tokio is for the shells: worker, net, listener, server and those in tokio.txt";
    let allowed = is_listed(file, list);
    (!allowed).then(|| Finding::new(&file.path, shipped[at].line, message))
}

/// Whether what comes next is a module of another crate, as in `other::tokio`.
fn is_inside(before: &[Token<'_>]) -> bool {
    let [.., first, second, third] = before else {
        return false;
    };
    let path = second.text == ":" && third.text == ":";
    path && first.kind == Kind::Word && first.text != "use"
}

/// Whether the file, or a folder it is in, is listed.
fn is_listed(file: &File, list: &List) -> bool {
    let mut folders = file
        .path
        .match_indices('/')
        .map(|(at, _)| &file.path[..=at]);
    folders.any(|folder| list.find(folder).is_some()) || list.find(&file.path).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::samples::{found, objects};

    #[test]
    fn protos_stop_at_the_edges() {
        for (path, text, good) in [
            (
                "extensions/http_filters/src/cors/config.rs",
                "use nuncio_proto::X;",
                true,
            ),
            (
                "extensions/http_filters/src/ext_proc/wire.rs",
                "use nuncio_proto::X;",
                true,
            ),
            (
                "extensions/http_filters/src/cors/filter.rs",
                "use nuncio_proto::X;",
                false,
            ),
            (
                "extensions/http_filters/src/cors/filter.rs",
                "// nuncio_proto::X",
                true,
            ),
            (
                "extensions/http_filters/src/cors/tests.rs",
                "use nuncio_proto::X;",
                true,
            ),
            (
                "extensions/http_filters/src/cors/mod.rs",
                "fn a(x: prost::Any) {}",
                false,
            ),
            ("crates/config/src/hcm.rs", "use nuncio_proto::X;", true),
        ] {
            assert_eq!(!objects(check, path, text), good, "{path}: {text}");
        }
    }

    #[test]
    fn tokio_is_named_where_the_list_says() {
        let list = (
            TOKIO,
            "crates/net/  shell\ncrates/upstream/src/dns.rs  shell\n",
        );
        let net = ("crates/net/src/a/b.rs", "use tokio::net::X;");
        let dns = ("crates/upstream/src/dns.rs", "fn x() { tokio::spawn() }");
        assert!(found(check, &[list, net, dns]).is_empty());
        let other = (
            "crates/upstream/src/lb.rs",
            "// tokio::\n#[cfg(test)] mod a { tokio::x; }",
        );
        assert!(found(check, &[list, net, dns, other]).is_empty());
        let other = (
            "crates/upstream/src/lb.rs",
            "//! x\nuse ::tokio::x; fn y(a: tokio::X) {}",
        );
        let found = found(check, &[list, net, dns, other]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("crates/upstream/src/lb.rs:2: tokio is for the shells"));
    }

    #[test]
    fn a_listed_file_that_needs_no_tokio_is_found() {
        let list = (TOKIO, "crates/net/  shell\n");
        let found = found(check, &[list, ("crates/net/src/a.rs", "fn x() {}")]);
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
