//! ClientHellos whole, in pieces, spread over records, and malformed.

use super::{ClientHello, Inspection, inspect};

const LIMIT: usize = 16 * 1024;

fn vector16(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u16).to_be_bytes(), content].concat()
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes(), vector16(content).as_slice()].concat()
}

/// A ClientHello message with these extensions.
fn message(extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend(vector16(&[0x13, 0x01]));
    body.extend([1, 0]);
    body.extend(vector16(&extensions.concat()));
    let length = (body.len() as u32).to_be_bytes();
    [&[1, length[1], length[2], length[3]], body.as_slice()].concat()
}

fn records(message: &[u8], size: usize) -> Vec<u8> {
    let records = message.chunks(size);
    records
        .flat_map(|payload| [&[22, 3, 1], vector16(payload).as_slice()].concat())
        .collect()
}

fn full() -> (Vec<u8>, ClientHello) {
    let name = b"WWW.Example.com";
    let names = [&[0], vector16(name).as_slice()].concat();
    let message = message(&[
        extension(0x0a0a, b""),
        extension(0, &vector16(&names)),
        extension(16, &vector16(b"\x02h2\x08http/1.1")),
        extension(43, &[6, 0x0a, 0x0a, 3, 4, 3, 3]),
        extension(5, &[1, 0, 0, 0, 0]),
        extension(10, &vector16(&[0, 29, 0, 23])),
        extension(11, &[2, 0, 1]),
        extension(13, &vector16(&[4, 3])),
    ]);
    let expected = ClientHello {
        server_name: Some("www.example.com".into()),
        alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        max_version: 0x0304,
        legacy_version: 0x0303,
        cipher_suites: vec![0x1301],
        extensions: vec![0x0a0a, 0, 16, 43, 5, 10, 11, 13],
        versions: vec![0x0a0a, 0x0304, 0x0303],
        groups: vec![29, 23],
        point_formats: vec![0, 1],
        signature_schemes: vec![0x0403],
        asks_for_status: true,
    };
    (message, expected)
}

#[test]
fn a_hello_is_read_however_it_is_cut() {
    let (message, expected) = full();
    for size in [1, 3, 4, 5, 100, 16 * 1024] {
        let bytes = records(&message, size);
        for end in 0..bytes.len() {
            assert_eq!(inspect(&bytes[..end], LIMIT), Inspection::Incomplete);
        }
        let inspected = inspect(&bytes, LIMIT);
        assert_eq!(inspected, Inspection::Hello(expected.clone()));
    }
}

#[test]
fn what_is_no_hello_is_told_at_once() {
    let (message, _) = full();
    let whole = records(&message, 16 * 1024);
    let mut server_hello = whole.clone();
    server_hello[5] = 2;
    let mut cut_extension = whole.clone();
    *cut_extension.last_mut().unwrap() = 9;
    let cases: &[(&[u8], Inspection)] = &[
        (b"", Inspection::Incomplete),
        (b"G", Inspection::NotTls),
        (b"\x16\x02", Inspection::NotTls),
        (b"\x16\x03\x01\x00\x00", Inspection::NotTls),
        (b"\x16\x03\x01\x50\x00", Inspection::NotTls),
        (&server_hello[..6], Inspection::NotTls),
        (&server_hello, Inspection::NotTls),
    ];
    for (bytes, expected) in cases {
        assert_eq!(inspect(bytes, LIMIT), *expected, "{bytes:?}");
    }
    assert_ne!(inspect(&cut_extension, LIMIT), Inspection::Incomplete);
}

#[test]
fn a_long_hello_is_not_waited_for() {
    let long = message(&[extension(21, &[0; 4000])]);
    let bytes = records(&long, 16 * 1024);
    assert_eq!(inspect(&bytes, 4000), Inspection::TooLarge);
    assert_eq!(inspect(&bytes[..2000], 1000), Inspection::TooLarge);
    assert!(matches!(inspect(&bytes, LIMIT), Inspection::Hello(_)));
}
