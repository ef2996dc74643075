//! Capsules of CONNECT-UDP: the same packets however the bytes come, and none that came not.

use nuncio_codec::capsule::CapsuleReader;

/// Takes how long each piece is, then a stream.
pub fn run(bytes: &[u8]) {
    let Some((size, stream)) = bytes.split_first() else {
        return;
    };
    let read = |size: usize| {
        let (mut reader, mut packets) = (CapsuleReader::default(), Vec::new());
        let mut pieces = stream.chunks(size.max(1));
        let good = pieces.all(|piece| {
            let mut take = |packet: &[u8]| packets.push(packet.to_vec());
            reader.read(piece, &mut take).is_ok()
        });
        (packets, good)
    };
    let (packets, good) = read(stream.len());
    assert_eq!(read(usize::from(*size)), (packets.clone(), good));
    let total: usize = packets.iter().map(|packet| packet.len() + 3).sum();
    assert!(total <= stream.len());
}
