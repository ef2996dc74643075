//! Other network namespaces (`network_namespaces(7)`): a socket stays in the one it is made in.

use crate::sockets::BindError;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;

/// Runs `make` in the network namespace of a file, on a thread of its own: no thread of the process
/// leaves its namespace.
///
/// # Errors
/// Where there is no such namespace, or no right to enter it (`CAP_SYS_ADMIN`).
pub(crate) fn within<T: Send>(
    path: &Arc<str>,
    make: impl FnOnce() -> T + Send,
) -> Result<T, BindError> {
    let failed = |opened: bool, error: io::Error| BindError::Namespace {
        path: Arc::clone(path),
        opened,
        error,
    };
    let file = File::open(&**path).map_err(|error| failed(false, error))?;
    let made = thread::scope(|scope| {
        let made = thread::Builder::new().spawn_scoped(scope, || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(make())
        })?;
        let ended = || io::Error::other("the thread has ended");
        made.join().unwrap_or_else(|_| Err(ended()))
    });
    made.map_err(|error| failed(true, error))
}
