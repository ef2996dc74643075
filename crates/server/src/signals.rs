//! Signals, as Envoy answers them: TERM and INT end the process at once, USR1 reopens the logs, HUP
//! is eaten, but by who wants the configuration read again. SIGPIPE needs nothing: Rust's runtime
//! ignores it from the start.

use std::io;

use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalEvent {
    /// End now, without draining.
    Shutdown,
    /// Open the log files again.
    ReopenLogs,
    /// Read the configuration again, where that is asked for.
    HangUp,
}

/// The signals of the process; made once, on main's event loop.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user1: Signal,
}

impl Signals {
    /// Takes the signals over. Called within a tokio runtime.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
        })
    }

    /// The next event; logs which signal was caught, in Envoy's words. Cancelling loses nothing.
    pub async fn next(&mut self) -> SignalEvent {
        tokio::select! {
            _ = self.terminate.recv() => {
                log!(logger::MAIN, Level::Warning, "caught ENVOY_SIGTERM");
                SignalEvent::Shutdown
            }
            _ = self.interrupt.recv() => {
                log!(logger::MAIN, Level::Warning, "caught SIGINT");
                SignalEvent::Shutdown
            }
            _ = self.user1.recv() => {
                log!(logger::MAIN, Level::Info, "caught SIGUSR1. Reopening access logs.");
                SignalEvent::ReopenLogs
            }
            _ = self.hang_up.recv() => SignalEvent::HangUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal as Number, getpid, kill_process};

    #[test]
    fn each_signal_is_its_event() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut signals = Signals::listen().unwrap();
            for (number, expected) in [
                (Number::TERM, SignalEvent::Shutdown),
                (Number::INT, SignalEvent::Shutdown),
                (Number::USR1, SignalEvent::ReopenLogs),
                (Number::HUP, SignalEvent::HangUp),
            ] {
                kill_process(getpid(), number).unwrap();
                assert_eq!(signals.next().await, expected);
            }
        });
    }
}
