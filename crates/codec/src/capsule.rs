//! Capsules of CONNECT-UDP (RFC 9297 section 3.2, RFC 9298 section 5): packets within a stream.

/// The type of capsules that carry a datagram.
const DATAGRAM: u64 = 0;
/// The longest packet of UDP, and the number of its context before it.
const MAX_DATAGRAM: u64 = 65_535 + 8;

/// What came is no sequence of capsules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapsuleError;

/// Takes packets out of a stream, piece by piece. What it holds is never more than one datagram;
/// capsules of other types are passed over, and datagrams of other contexts.
#[derive(Debug, Default)]
pub struct CapsuleReader {
    /// The beginning of a capsule.
    held: Vec<u8>,
    /// How much of a capsule that is passed over is still to come.
    skip: u64,
    broken: bool,
}

impl CapsuleReader {
    /// Reads a piece; `packet` is given each packet that is complete with it.
    ///
    /// # Errors
    /// A datagram that is too long or has no context; then, and ever after, nothing is read.
    pub fn read(
        &mut self,
        mut bytes: &[u8],
        packet: &mut dyn FnMut(&[u8]),
    ) -> Result<(), CapsuleError> {
        while !bytes.is_empty() && !self.broken {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len() as u64);
                self.skip -= skipped;
                bytes = &bytes[skipped as usize..];
                continue;
            }
            bytes = self.take(bytes);
            self.broken = self.read_held(packet).is_err();
        }
        if self.broken {
            Err(CapsuleError)
        } else {
            Ok(())
        }
    }

    /// Takes as much as may belong to the capsule that has begun.
    fn take<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let wanted = match head(&self.held) {
            Some((_, length, at)) => {
                let end = at as u64 + length;
                end.saturating_sub(self.held.len() as u64)
            }
            // Byte by byte: the next may be the next capsule's.
            None => 1,
        };
        let taken = wanted.clamp(1, bytes.len() as u64) as usize;
        self.held.extend_from_slice(&bytes[..taken]);
        &bytes[taken..]
    }

    fn read_held(&mut self, packet: &mut dyn FnMut(&[u8])) -> Result<(), CapsuleError> {
        let Some((kind, length, at)) = head(&self.held) else {
            return Ok(());
        };
        if kind != DATAGRAM {
            self.skip = length;
            self.held.clear();
            return Ok(());
        }
        if length > MAX_DATAGRAM {
            return Err(CapsuleError);
        }
        let payload = &self.held[at..];
        if (payload.len() as u64) < length {
            return Ok(());
        }
        let (context, start) = number(payload).ok_or(CapsuleError)?;
        if context == 0 {
            packet(&payload[start..]);
        }
        self.held.clear();
        Ok(())
    }
}

/// A packet's capsule.
pub fn write_packet(packet: &[u8]) -> Vec<u8> {
    let length = packet.len() as u64 + 1;
    let mut capsule = Vec::with_capacity(packet.len() + 10);
    capsule.push(DATAGRAM as u8);
    write_number(length, &mut capsule);
    // The context of packets.
    capsule.push(0);
    capsule.extend_from_slice(packet);
    capsule
}

/// A capsule's type, its payload's length, and where that begins.
fn head(bytes: &[u8]) -> Option<(u64, u64, usize)> {
    let (kind, first) = number(bytes)?;
    let (length, second) = number(&bytes[first..])?;
    Some((kind, length, first + second))
}

/// A number of one, two, four or eight bytes (RFC 9000 section 16), and how many it has.
fn number(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let length = 1 << (first >> 6);
    let bytes = bytes.get(..length)?;
    let rest = bytes[1..].iter();
    let value = rest.fold(u64::from(first & 0x3f), |value, byte| {
        value << 8 | u64::from(*byte)
    });
    Some((value, length))
}

fn write_number(value: u64, out: &mut Vec<u8>) {
    match value {
        0..0x40 => out.push(value as u8),
        0x40..0x4000 => out.extend_from_slice(&(value as u16 | 0x4000).to_be_bytes()),
        _ => out.extend_from_slice(&(value as u32 | 0x8000_0000).to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
        let (mut reader, mut all, mut good) = (CapsuleReader::default(), Vec::new(), true);
        for piece in pieces {
            good &= reader
                .read(piece, &mut |packet| all.push(packet.to_vec()))
                .is_ok();
        }
        (all, good)
    }

    #[test]
    fn packets_are_found_however_they_are_cut() {
        let long = [7; 300];
        let stream = [
            &write_packet(b"one")[..],
            // Another type, another context, an empty packet, a context of two bytes.
            b"\x05\x02xy",
            b"\x00\x03\x01hi",
            b"\x00\x01\x00",
            b"\x00\x04\x40\x00ab",
            &write_packet(&long),
        ]
        .concat();
        let expected = [&b"one"[..], b"", b"ab", &long].map(<[u8]>::to_vec);
        for size in 1..stream.len() {
            let pieces: Vec<_> = stream.chunks(size).collect();
            assert_eq!(packets(&pieces), (expected.to_vec(), true), "{size}");
        }
    }

    #[test]
    fn what_is_wrong_ends_the_reading() {
        let good = write_packet(b"x");
        for bad in [
            &b"\x00\x00"[..],
            b"\x00\x80\x01\x00\x08",
            b"\x00\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(packets(&[&good, bad, &good]), (vec![b"x".to_vec()], false));
        }
    }
}
