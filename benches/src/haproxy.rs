//! The haproxy.cfg of a family: one thread, keep-alive both ways, the headers that Envoy adds.

use std::fmt::Write;
use std::path::Path;

use crate::proxy::Site;
use crate::scenario::{Family, IDLE_CONNECTIONS, Proxying, Routes, domain};

/// The configuration and, for [`map_file`], its map from prefix or host name to proxy section.
pub fn cfg(family: &Family, site: &Site) -> (String, String) {
    let mut text = String::new();
    write_cfg(&mut text, family, site, &map_file(&site.folder))
        .expect("writing to a string fails only if a Display implementation does");
    let keys = match family.proxying {
        Proxying::Http(routes @ Routes::Prefixes(_)) => routes.prefixes(),
        Proxying::Http(Routes::Hosts(count)) => (0..count).map(domain).collect(),
        Proxying::Http(Routes::All) | Proxying::Tcp => Vec::new(),
    };
    (text, keys.into_iter().map(|key| key + " b0\n").collect())
}

/// Where the configuration looks for its map.
pub fn map_file(folder: &Path) -> std::path::PathBuf {
    folder.join("routes.map")
}

fn write_cfg(text: &mut String, family: &Family, site: &Site, map: &Path) -> std::fmt::Result {
    writeln!(
        text,
        "global\nnbthread 1\nmaxconn {}",
        IDLE_CONNECTIONS + 1000
    )?;
    if family.access_log {
        // It writes to no file itself; its standard output is one.
        writeln!(text, "log stdout format raw local0 info")?;
    }
    let mode = if family.proxying == Proxying::Tcp {
        "tcp"
    } else {
        "http"
    };
    writeln!(text, "defaults\nmode {mode}")?;
    writeln!(
        text,
        "timeout connect 2s\ntimeout client 1h\ntimeout server 1h"
    )?;
    if mode == "http" {
        writeln!(text, "timeout http-keep-alive 1h\nhttp-reuse always")?;
    }
    if family.access_log {
        writeln!(text, "log global\noption httplog")?;
    }
    let map = map.display();
    for (index, port) in site.ports.iter().enumerate() {
        writeln!(text, "frontend f{index}\nbind 127.0.0.1:{port}")?;
        if mode == "http" {
            writeln!(text, "option forwardfor")?;
            writeln!(text, "http-request set-header X-Forwarded-Proto http")?;
            writeln!(text, "http-request set-header X-Request-Id %[uuid()]")?;
        }
        match family.proxying {
            Proxying::Http(Routes::Prefixes(_)) => {
                writeln!(text, "use_backend %[path,map_beg({map})]")?;
            }
            Proxying::Http(Routes::Hosts(_)) => {
                writeln!(text, "use_backend %[req.hdr(host),lower,map({map})]")?;
            }
            Proxying::Http(Routes::All) | Proxying::Tcp => {
                writeln!(text, "default_backend b{index}")?;
            }
        }
        writeln!(text, "backend b{index}\nserver s {}", site.upstream)?;
    }
    Ok(())
}
