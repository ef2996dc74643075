//! Bodies of a known length whose bytes pass the codec by: the kernel moves them from one socket to
//! the other.

use super::body::Body;
use super::client::{H1Client, Reading};
use super::encode::BodyWriter;
use super::server::H1Server;

impl H1Client {
    /// How many bytes of the response's body are still to come, where its head has said that.
    pub fn length_left(&self) -> Option<u64> {
        match self.reading {
            Reading::Body(Body::Length(left)) => Some(left),
            _ => None,
        }
    }

    /// So many bytes of the response's body, fewer than are left, came by another way.
    pub fn pass_by(&mut self, bytes: u64) {
        match &mut self.reading {
            Reading::Body(Body::Length(left)) if bytes < *left => *left -= bytes,
            _ => nuncio_base::bug!("more of a response passed by than was left"),
        }
    }
}

impl H1Server {
    /// How many bytes of the response's body are still owed, where its head has said that.
    pub fn length_owed(&self) -> Option<u64> {
        match self.writer {
            BodyWriter::Length(owed) => Some(owed),
            _ => None,
        }
    }

    /// So many bytes of the response's body, fewer than are owed, went by another way.
    pub fn pass_by(&mut self, bytes: u64) {
        match &mut self.writer {
            BodyWriter::Length(owed) if bytes < *owed => *owed -= bytes,
            _ => nuncio_base::bug!("more of a response passed by than was owed"),
        }
    }
}
