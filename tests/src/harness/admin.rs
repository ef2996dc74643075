//! What a test asks the admin interface.

use super::{Connection, Proxy, Response, wait_for};
use serde_json::Value;
use std::net::SocketAddr;

impl Proxy {
    /// An answer of the admin interface.
    pub fn admin(&self, path: &str) -> Response {
        ask(self.admin_address(), "GET", path)
    }

    /// An answer of the admin interface to what changes something.
    pub fn admin_post(&self, path: &str) -> Response {
        ask(self.admin_address(), "POST", path)
    }

    /// An answer in JSON.
    pub fn admin_json(&self, path: &str) -> Value {
        let response = self.admin(path);
        serde_json::from_slice(&response.body)
            .unwrap_or_else(|error| panic!("{path} answers no JSON: {error}\n{}", response.text()))
    }

    /// A counter or gauge; 0 if it isn't there.
    pub fn stat(&self, name: &str) -> u64 {
        let text = self.admin(&format!("/stats?filter=^{name}$")).text();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// Waits until a counter or gauge has a value.
    pub fn wait_stat(&self, name: &str, value: u64) {
        let mut last = 0;
        let deadline = std::time::Instant::now() + super::PATIENCE;
        while std::time::Instant::now() < deadline {
            last = self.stat(name);
            if last == value {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("{name} is {last}, not {value}");
    }

    /// Waits until a counter or gauge has more than a value.
    pub fn wait_stat_above(&self, name: &str, value: u64) {
        wait_for(name, || (self.stat(name) > value).then_some(()));
    }

    /// Where a listener listens.
    pub fn listener(&self, name: &str) -> SocketAddr {
        wait_for(&format!("listener {name}"), || {
            let answer = self.admin_json("/listeners?format=json");
            let listeners = answer["listener_statuses"].as_array()?;
            let listener = listeners.iter().find(|listener| listener["name"] == name)?;
            let address = &listener["local_address"]["socket_address"];
            let ip = address["address"].as_str()?.parse().ok()?;
            let port = u16::try_from(address["port_value"].as_u64()?).ok()?;
            Some(SocketAddr::new(ip, port))
        })
    }
}

fn ask(address: SocketAddr, method: &str, path: &str) -> Response {
    let mut connection = Connection::open(address);
    connection.request(method, path, "connection: close\r\n", "")
}
