//! What an HTTP connection has read and not yet taken apart.

use bytes::{Bytes, BytesMut};
use nuncio_net::Transport;
use nuncio_worker::Worker;
use std::io;
use std::task::{Context, Poll};

/// Reads once, and puts what came behind what is there; 0: the connection has ended.
pub(super) fn read_behind(
    worker: &Worker,
    transport: &mut Transport,
    task: &mut Context<'_>,
    input: &mut Bytes,
) -> Poll<io::Result<usize>> {
    let (result, bytes) = worker.with_read_block(|block| {
        let result = transport.poll_read(task, block);
        // Splitting nothing off would cost as much as splitting something off.
        let bytes = if block.is_empty() {
            Bytes::new()
        } else {
            block.split().freeze()
        };
        (result, bytes)
    });
    if input.is_empty() {
        *input = bytes;
    } else if !bytes.is_empty() {
        let mut both = BytesMut::with_capacity(input.len() + bytes.len());
        both.extend_from_slice(input);
        both.extend_from_slice(&bytes);
        *input = both.freeze();
    }
    result
}
