//! Stats as text: what `/stats` and `/stats/prometheus` answer.

mod json;
mod prometheus;
mod text;
mod walk;

use std::sync::Arc;

use json::Json;
use prometheus::Prometheus;
use text::Text;

use crate::primitive::PrimitiveStat;
use crate::query::{Format, StatsQuery};
use crate::store::StoreCore;

/// Bytes from which on a piece is handed out: a store of 10,000 clusters prints 60 MB.
const PIECE: usize = 64 * 1024;

/// An answer in pieces.
pub struct Render {
    store: Arc<StoreCore>,
    query: StatsQuery,
    /// What is shown besides the store's, and was not shown yet.
    others: Vec<PrimitiveStat>,
    writer: Writer,
}

enum Writer {
    Text(Text),
    Json(Json),
    Prometheus(Prometheus),
}

impl Render {
    pub(crate) fn new(
        store: Arc<StoreCore>,
        query: StatsQuery,
        mut others: Vec<PrimitiveStat>,
    ) -> Self {
        let any_kind = query.format == Format::Prometheus;
        others.retain(|stat| stat.is_wanted(&query, any_kind));
        let writer = match query.format {
            Format::Text | Format::Html | Format::ActiveHtml => Writer::Text(Text::default()),
            Format::Json => Writer::Json(Json::default()),
            Format::Prometheus => Writer::Prometheus(Prometheus::default()),
        };
        Self {
            store,
            query,
            others,
            writer,
        }
    }
}

/// What a writer did.
enum Step {
    /// Wrote something; there may be more.
    More,
    /// Worked for long without anything to write.
    Pause,
    /// All is written.
    Done,
}

impl Iterator for Render {
    type Item = String;

    /// The next piece. It may be short, or empty where finding out what to write takes long:
    /// others can then have their turn first.
    fn next(&mut self) -> Option<String> {
        let (store, query) = (&self.store, &self.query);
        let others = &mut self.others;
        let mut piece = String::new();
        while piece.len() < PIECE {
            let step = match &mut self.writer {
                Writer::Text(writer) => writer.step(store, query, others, &mut piece),
                Writer::Json(writer) => writer.step(store, query, others, &mut piece),
                Writer::Prometheus(writer) => writer.step(store, query, others, &mut piece),
            };
            match step {
                Step::More => {}
                Step::Pause => return Some(piece),
                Step::Done => break,
            }
        }
        (!piece.is_empty()).then_some(piece)
    }
}

#[cfg(test)]
mod tests;
