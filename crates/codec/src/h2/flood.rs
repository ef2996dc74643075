//! Flood protection: how much a peer may make us do for nothing, with Envoy's limits.

use super::error::H2Error;
use super::settings::H2Settings;
use super::stats::H2Stats;

const EMPTY: &str = "codec_error:Too_many_consecutive_frames_with_an_empty_payload";

/// Frames counted over a connection's life.
#[derive(Default)]
pub(super) struct Inbound {
    consecutive_empty: u32,
    priority: u64,
    window_updates: u64,
    /// Streams that were opened.
    pub opened: u64,
    /// DATA frames that were sent.
    pub data_sent: u64,
}

impl Inbound {
    /// A frame of a message came; `empty`: without payload, and it does not end the stream.
    pub fn message_frame(
        &mut self,
        stream: u32,
        empty: bool,
        settings: &H2Settings,
        stats: &H2Stats,
    ) -> Result<(), H2Error> {
        self.consecutive_empty = if empty { self.consecutive_empty + 1 } else { 0 };
        if self.consecutive_empty > settings.max_consecutive_empty_frames {
            stats.inbound_empty_frames_flood().inc();
            return Err(H2Error::flood(EMPTY).on_stream(stream, "http2.inbound_empty_frames_flood"));
        }
        Ok(())
    }

    /// A PRIORITY frame came.
    pub fn priority(&mut self, settings: &H2Settings, stats: &H2Stats) -> Result<(), H2Error> {
        self.priority += 1;
        let per_stream = u64::from(settings.max_priority_frames_per_stream);
        if self.priority > per_stream * (1 + self.opened) {
            stats.inbound_priority_frames_flood().inc();
            return Err(H2Error::flood("codec_error:Too_many_PRIORITY_frames"));
        }
        Ok(())
    }

    /// A WINDOW_UPDATE frame came.
    pub fn window_update(&mut self, settings: &H2Settings, stats: &H2Stats) -> Result<(), H2Error> {
        self.window_updates += 1;
        let per_frame = u64::from(settings.max_window_updates_per_data_frame);
        if self.window_updates > 5 + 2 * (self.opened + per_frame * self.data_sent) {
            stats.inbound_window_update_frames_flood().inc();
            return Err(H2Error::flood("codec_error:Too_many_WINDOW_UPDATE_frames"));
        }
        Ok(())
    }
}

/// Whether more frames wait to be written than may: the peer makes us answer and reads nothing.
pub(super) fn outbound(
    (frames, control): (u32, u32),
    settings: &H2Settings,
    stats: &H2Stats,
) -> Result<(), H2Error> {
    if control > settings.max_outbound_control_frames {
        stats.outbound_control_flood().inc();
    } else if frames > settings.max_outbound_frames {
        stats.outbound_flood().inc();
    } else {
        return Ok(());
    }
    Err(H2Error::flood("http2.outbound_frames_flood"))
}
