//! Answers to any response: for the fuzz target `discovery`.

use super::type_state::TypeState;
use crate::rejection::Rejection;
use crate::resource::ResourceType;
use crate::response::{LoadedResponse, StreamResponse};
use nuncio_proto::Message;
use nuncio_proto::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};

/// Whatever came is answered with its nonce, and what was accepted is known on the next stream.
pub fn answer(
    kind: ResourceType,
    delta: bool,
    response: &StreamResponse,
    loaded: Result<LoadedResponse, Rejection>,
) {
    let mut state = TypeState::new(kind, delta);
    state.interest.want_all(true);
    state.interest.on_open();
    assert!(state.interest.next_request(|| None).is_some());
    let refused = loaded.is_err();
    match loaded {
        Ok(loaded) => {
            let now = nuncio_base::time::monotonic();
            state.accept(response, loaded, now);
        }
        Err(rejection) => state.interest.refuse(&response.nonce, &rejection.reason),
    }
    let answer = state.interest.next_request(|| None).unwrap_or_default();
    let (nonce, error) = if delta {
        let request = DeltaDiscoveryRequest::decode(&*answer).unwrap_or_default();
        (request.response_nonce, request.error_detail)
    } else {
        let request = DiscoveryRequest::decode(&*answer).unwrap_or_default();
        (request.response_nonce, request.error_detail)
    };
    assert_eq!(nonce, response.nonce, "an answer is to what came");
    assert_eq!(error.is_some(), refused, "what is refused is told so");
    state.interest.on_open();
    assert!(state.interest.next_request(|| None).is_some());
}
