//! `/memory`: how much the process uses.

use nuncio_proto::envoy::admin::v3::Memory;

use crate::{AdminResponse, Call, json};

pub(crate) fn answer(call: &Call<'_>) -> AdminResponse {
    let memory = call.server.memory();
    let message = Memory {
        allocated: memory.allocated,
        heap_size: memory.heap_size,
        pageheap_unmapped: memory.pageheap_unmapped,
        pageheap_free: memory.pageheap_free,
        total_thread_cache: memory.total_thread_cache,
        total_physical_bytes: memory.total_physical_bytes,
    };
    AdminResponse::json(json::typed(&message, true))
}
