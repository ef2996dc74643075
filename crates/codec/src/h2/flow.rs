//! Flow control (RFC 9113 section 5.2): what the peer may still send, and what it gets back.

use super::error::{ErrorCode, H2Error};

/// The largest a window may be.
pub(super) const LARGEST: i64 = 0x7fff_ffff;
/// What every window begins with.
pub(super) const INITIAL: u32 = 65_535;

/// A window for what is received.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReceiveWindow {
    /// How much the peer may still send.
    left: i64,
    size: u32,
    /// What was taken on and is not yet given back.
    credit: u32,
}

impl ReceiveWindow {
    pub const fn new(size: u32) -> Self {
        Self {
            left: size as i64,
            size,
            credit: 0,
        }
    }

    /// So much was received.
    pub fn receive(&mut self, bytes: usize) -> Result<(), H2Error> {
        self.left -= bytes as i64;
        if self.left < 0 {
            return Err(H2Error::connection(ErrorCode::FLOW_CONTROL));
        }
        Ok(())
    }

    /// So much was taken on: what the peer is to be given back now, once it is half the window.
    pub fn take_on(&mut self, bytes: u32) -> Option<u32> {
        self.credit += bytes;
        let due = self.credit > 0 && self.credit >= self.size / 2;
        due.then(|| {
            self.left += i64::from(self.credit);
            std::mem::take(&mut self.credit)
        })
    }
}

/// Adds to a window for what is sent.
pub(super) fn widen(window: &mut i64, by: u32) -> Result<(), ()> {
    *window += i64::from(by);
    if *window > LARGEST { Err(()) } else { Ok(()) }
}
