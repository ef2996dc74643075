//! Bodies that are decompressed: never more at a time than was asked for, nor more than may be.

use nuncio_base::Buffer;
use nuncio_ext_http_filters::decompressor::{Codec, Library, Progress};

/// What is asked for at a time, in bytes.
const MOST: usize = 10_000;

/// Takes a library, how long each piece is, and then a body.
pub fn run(bytes: &[u8]) {
    let [kind, size, body @ ..] = bytes else {
        return;
    };
    let library = Library {
        codec: match kind % 3 {
            0 => Codec::Gzip(15),
            1 => Codec::Brotli,
            _ => Codec::Zstd,
        },
        chunk_size: 4096,
        max_ratio: 100,
    };
    let Some(mut decoder) = library.decoder() else {
        return;
    };
    let mut chunk = vec![0; library.chunk_size];
    for bytes in body.chunks(usize::from(*size).max(1)) {
        let mut piece = library.piece(Buffer::from(bytes.to_vec()));
        let mut made = 0;
        loop {
            let mut out = Buffer::new();
            let progress = decoder.run(&mut piece, &mut chunk, MOST, &mut out);
            assert!(out.len() <= MOST + chunk.len());
            made += out.len();
            if progress != Progress::More {
                break;
            }
        }
        assert!(made <= library.max_ratio * bytes.len() + 2 * chunk.len());
    }
}
