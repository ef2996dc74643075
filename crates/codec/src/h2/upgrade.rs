//! Upgrades: HTTP/2's extended CONNECT (RFC 8441) as HTTP/1's `upgrade`, and back.

use super::stream::Asked;
use nuncio_base::{HeaderMap, names};

/// Makes an extended CONNECT that was received a GET that asks for an upgrade.
pub(super) fn on_request(map: &mut HeaderMap) -> Asked {
    let Some(protocol) = map.get(names::PROTOCOL) else {
        return Asked::Other;
    };
    let protocol: Box<[u8]> = protocol.into();
    map.remove(names::PROTOCOL);
    map.set(names::METHOD, b"GET");
    map.append(names::CONNECTION, b"upgrade");
    map.append(names::UPGRADE, &protocol);
    Asked::Upgrade(protocol)
}

/// Makes the response to an extended CONNECT of ours the one to an upgrade.
pub(super) fn on_response(map: &mut HeaderMap, asked: &Asked) {
    if let Asked::Upgrade(protocol) = asked
        && map.get(names::STATUS) == Some(b"200")
    {
        map.set(names::STATUS, b"101");
        map.append(names::CONNECTION, b"upgrade");
        map.append(names::UPGRADE, protocol);
    }
}
