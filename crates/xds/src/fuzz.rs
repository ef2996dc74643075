//! What must hold for any bytes that a control plane sends: the check of the fuzz target
//! `discovery`.

use crate::mux::fuzz::answer;
use crate::resource::ResourceType;
use crate::response;
use nuncio_proto::load::Options;

/// Takes what a control plane sends; the first byte chooses the type and the kind of response.
///
/// # Panics
/// When something does not hold.
pub fn check_response(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else {
        return;
    };
    let (delta, json) = (choice & 0x80 != 0, choice & 0x40 != 0);
    let kind = ResourceType::ALL[usize::from(choice & 0x3f) % ResourceType::ALL.len()];
    let options = Options::default();
    if json {
        // Read, or refused.
        let _ = response::read_json(bytes.to_vec(), kind, &options);
        return;
    }
    let Ok(response) = response::decode(bytes, delta) else {
        return;
    };
    let loaded = response.load(kind, &options);
    if let Ok(loaded) = &loaded {
        let told = loaded.resources.len() + loaded.heartbeats;
        assert_eq!(told, loaded.ttls.len(), "a resource is told of once");
    }
    answer(kind, delta, &response, loaded);
}
