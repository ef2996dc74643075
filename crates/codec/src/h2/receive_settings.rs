//! The peer's SETTINGS (RFC 9113 section 6.5).

use super::connection::H2Connection;
use super::error::{ErrorCode, H2Error};
use super::flow;
use super::frame::{FrameHeader, MAX_FRAME, flag, setting};
use super::receive::{Step, Stepped, protocol_error};

/// SETTINGS entries of one frame; nobody needs more (CVE-2020-11080).
const MAX_SETTINGS: usize = 32;

impl H2Connection {
    pub(super) fn on_settings(&mut self, header: &FrameHeader, payload: &[u8]) -> Stepped {
        let is_ack = header.has(flag::ACK);
        let (entries, rest) = payload.as_chunks::<6>();
        if !rest.is_empty() || (is_ack && !payload.is_empty()) {
            return Err(H2Error::connection(ErrorCode::FRAME_SIZE));
        }
        if header.stream != 0 {
            return protocol_error();
        }
        if is_ack {
            if !self.settings_acked {
                self.settings_acked = true;
                let table = self.local.settings.hpack_table_size as usize;
                self.decoder.set_limit(table);
            }
            return Ok(Step::Done);
        }
        if entries.len() > MAX_SETTINGS {
            return Err(H2Error::connection(ErrorCode::ENHANCE_YOUR_CALM));
        }
        for &[a, b, value @ ..] in entries {
            self.set(u16::from_be_bytes([a, b]), u32::from_be_bytes(value))?;
        }
        self.peer.is_known = true;
        self.put_settings_ack();
        Ok(Step::Done)
    }

    fn set(&mut self, name: u16, value: u32) -> Result<(), H2Error> {
        match name {
            setting::HEADER_TABLE_SIZE => self.encoder.set_max_size(value as usize),
            setting::ENABLE_PUSH if value > 1 => return protocol_error(),
            setting::MAX_CONCURRENT_STREAMS => self.peer.max_concurrent = value,
            setting::INITIAL_WINDOW_SIZE => self.set_initial_window(value)?,
            setting::MAX_FRAME_SIZE => {
                let value = value as usize;
                if !(MAX_FRAME..=0xff_ffff).contains(&value) {
                    return protocol_error();
                }
                self.peer.max_frame = value;
            }
            setting::ENABLE_CONNECT_PROTOCOL => match value {
                0 | 1 => self.peer.allows_connect = value == 1,
                _ => return protocol_error(),
            },
            _ => {}
        }
        Ok(())
    }

    /// A changed initial window changes those of all streams, by the difference (section 6.9.2).
    fn set_initial_window(&mut self, value: u32) -> Result<(), H2Error> {
        let error = H2Error::connection(ErrorCode::FLOW_CONTROL);
        if i64::from(value) > flow::LARGEST {
            return Err(error);
        }
        let by = i64::from(value) - i64::from(self.peer.initial_window);
        self.peer.initial_window = value;
        let mut widened = Vec::new();
        for (id, stream) in self.streams.iter_mut() {
            stream.send_window += by;
            if stream.send_window > flow::LARGEST {
                return Err(error);
            }
            if by > 0 && !stream.queued && stream.can_send() {
                widened.push(id);
            }
        }
        widened.sort_unstable();
        widened.into_iter().for_each(|id| self.streams.queue(id));
        Ok(())
    }
}
