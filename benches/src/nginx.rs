//! The nginx.conf of a family: one worker, keep-alive both ways, the headers that Envoy adds.

use std::fmt::Write;
use std::path::Path;

use crate::proxy::Site;
use crate::scenario::{Family, IDLE_CONNECTIONS, Proxying, Routes, domain};

/// What each HTTP server has in common. The hash sizes hold 10,000 names, the body buffer keeps
/// the POST scenario from writing files, the proxy buffers hold what Envoy would buffer too.
const HTTP: &str = "\
keepalive_requests 1000000000;
keepalive_timeout 1h;
tcp_nodelay on;
server_names_hash_max_size 65536;
server_names_hash_bucket_size 128;
client_body_buffer_size 32k;
proxy_http_version 1.1;
proxy_buffer_size 8k;
proxy_buffers 16 16k;
proxy_max_temp_file_size 0;
proxy_set_header Host $host;
proxy_set_header Connection '';
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Request-Id $request_id;
";

/// The configuration; `stream_module` is the file to load for TCP, if it isn't built in.
pub fn conf(family: &Family, site: &Site, stream_module: Option<&Path>) -> String {
    let mut text = String::new();
    write_conf(&mut text, family, site, stream_module)
        .expect("writing to a string fails only if a Display implementation does");
    text
}

fn write_conf(
    text: &mut String,
    family: &Family,
    site: &Site,
    stream_module: Option<&Path>,
) -> std::fmt::Result {
    let upstream = site.upstream;
    let folder = site.folder.display();
    // Connections on both sides count, and so do listeners.
    let connections = 2 * IDLE_CONNECTIONS + 2000;
    if let (Proxying::Tcp, Some(module)) = (family.proxying, stream_module) {
        writeln!(text, "load_module {};", module.display())?;
    }
    if rustix::process::geteuid().is_root() {
        // Its worker would else be somebody who may not enter the folder.
        writeln!(text, "user root root;")?;
    }
    writeln!(text, "daemon off;\nworker_processes 1;\npid {folder}/pid;")?;
    writeln!(
        text,
        "error_log stderr error;\nevents {{ worker_connections {connections}; }}"
    )?;
    let Proxying::Http(routes) = family.proxying else {
        let port = site.ports[0];
        writeln!(text, "stream {{ server {{")?;
        writeln!(
            text,
            "listen 127.0.0.1:{port};\nproxy_pass {upstream};\n}} }}"
        )?;
        return Ok(());
    };
    writeln!(text, "http {{\n{HTTP}")?;
    if family.access_log {
        // Buffered as Envoy buffers it.
        let log = site.access_log();
        writeln!(
            text,
            "access_log {} combined buffer=64k flush=10s;",
            log.display()
        )?;
    } else {
        writeln!(text, "access_log off;")?;
    }
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(text, "{kind}_temp_path {folder}/{kind};")?;
    }
    for (index, port) in site.ports.iter().enumerate() {
        writeln!(text, "upstream u{index} {{ server {upstream};")?;
        writeln!(text, "keepalive 512; keepalive_requests 1000000000; }}")?;
        let names: Vec<String> = match routes {
            Routes::Hosts(count) => (0..count).map(domain).collect(),
            Routes::All | Routes::Prefixes(_) => vec!["_".to_owned()],
        };
        for name in names {
            writeln!(
                text,
                "server {{ listen 127.0.0.1:{port}; server_name {name};"
            )?;
            for prefix in routes.prefixes() {
                writeln!(text, "location {prefix} {{ proxy_pass http://u{index}; }}")?;
            }
            writeln!(text, "}}")?;
        }
    }
    writeln!(text, "}}")
}
