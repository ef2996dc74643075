//! Moves the rest of a long response past the codecs: from the upstream's socket to the client's,
//! inside the kernel, where both are plain and no filter looks at bodies.

use crate::conn_manager::connection::Connection;
use crate::conn_manager::stream::ActiveStream;
use nuncio_codec::h1::H1Server;
use nuncio_net::splice::{Moved, Spliced, TURN_BYTES};
use nuncio_net::{Close, ConnCx};
use std::task::{Context, Poll};

/// So many bytes at the end of a body take the ordinary way, where its end is noticed.
const TAIL: u64 = 4 * 1024;

/// A body with less to come than this, in bytes, takes the ordinary way.
pub(super) const LONG_BODY: u64 = 256 * 1024;

/// Moves what can be moved of the stream's response.
pub(super) fn move_body(
    stream: &mut ActiveStream,
    codec: &mut H1Server,
    conn: &Connection,
    cx: &mut ConnCx<'_>,
    task: &mut Context<'_>,
) {
    if stream.bulk.is_splicing() {
        if drain(stream, cx, task) && !splice(stream, codec, conn, cx, task) {
            stream.bulk.stop();
        }
    } else if stream.bulk.is_bulk() && cx.out().is_empty() && begins(stream, codec, cx) {
        stream.bulk.start();
        if !splice(stream, codec, conn, cx, task) {
            stream.bulk.stop();
        }
    }
}

/// Whether enough is to come, and both ends allow it.
fn begins(stream: &mut ActiveStream, codec: &H1Server, cx: &mut ConnCx<'_>) -> bool {
    let is_long = codec.length_owed().is_some_and(|owed| owed >= LONG_BODY);
    is_long
        && cx.transport().raw().is_some()
        && stream
            .bulk_body()
            .is_some_and(|body| body.source().is_some())
}

/// Writes what is in the pipe: nothing else may come before it. Whether it is empty.
fn drain(stream: &mut ActiveStream, cx: &mut ConnCx<'_>, task: &mut Context<'_>) -> bool {
    let mut moved = Moved::default();
    let drained = match (stream.bulk.splice(), cx.transport().raw()) {
        (Some(splice), Some(to)) => splice.drain(task, to, &mut moved),
        _ => Poll::Ready(Ok(())),
    };
    match drained {
        Poll::Pending => return false,
        Poll::Ready(Ok(())) => {
            stream.pause_response(false);
        }
        // The client is gone.
        Poll::Ready(Err(_)) => cx.close(Close::NoFlush),
    }
    !cx.is_closing()
}

/// Moves bytes with an empty pipe; whether to go on like this.
fn splice(
    stream: &mut ActiveStream,
    codec: &mut H1Server,
    conn: &Connection,
    cx: &mut ConnCx<'_>,
    task: &mut Context<'_>,
) -> bool {
    let mut moved = Moved::default();
    let mut bulk = std::mem::take(&mut stream.bulk);
    let result = {
        let body = stream.bulk_body();
        match (
            bulk.splice(),
            body.as_ref().and_then(|body| body.source()),
            cx.transport().raw(),
            codec.length_owed(),
        ) {
            (Some(splice), Some((left, from)), Some(to), Some(owed)) => {
                let most = left.min(owed).saturating_sub(TAIL).min(TURN_BYTES);
                splice.poll(&conn.local.pipes, task, (from, to), most, &mut moved)
            }
            _ => Spliced::Over,
        }
    };
    if moved.taken > 0 {
        if let Some(body) = stream.bulk_body() {
            body.taken(moved.taken, conn.local.worker.now());
        }
        codec.pass_by(moved.taken);
        stream.body_sent(moved.taken, moved.taken);
    }
    stream.bulk = bulk;
    match result {
        Spliced::Drained => !stream.bulk.on_drained(moved.taken),
        Spliced::Blocked => {
            stream.pause_response(true);
            true
        }
        // Others have their turn first; or only the tail is left.
        Spliced::More if moved.taken == TURN_BYTES => {
            task.waker().wake_by_ref();
            true
        }
        Spliced::More | Spliced::Over => false,
        Spliced::Failed(_) => {
            cx.close(Close::NoFlush);
            true
        }
    }
}
