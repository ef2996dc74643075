//! Fingerprints of clients whose fingerprints are published.

use super::fingerprint::{ja3, ja4};
use nuncio_codec::client_hello::ClientHello;

/// The example of JA4's specification: a browser, with reserved numbers.
fn browser() -> ClientHello {
    ClientHello {
        alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        legacy_version: 0x0303,
        cipher_suites: vec![
            0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
            0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
        ],
        extensions: vec![
            0xcaca, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023,
            0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0xcaca,
        ],
        versions: vec![0x8a8a, 0x0304, 0x0303],
        signature_schemes: vec![
            0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601,
        ],
        ..ClientHello::default()
    }
}

#[test]
fn ja4_is_as_specified() {
    assert_eq!(ja4(&browser()), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    let cases: [(fn(&mut ClientHello), &str); 5] = [
        (|hello| hello.versions.clear(), "t12d1516h2"),
        (|hello| hello.versions = vec![0x0305], "t00d1516h2"),
        (|hello| hello.alpn = vec![b"a-".to_vec()], "t13d15166d"),
        (|hello| hello.alpn.clear(), "t13d151600"),
        (
            |hello| hello.extensions.retain(|kind| *kind != 0),
            "t13i1515h2",
        ),
    ];
    for (change, expected) in cases {
        let mut hello = browser();
        change(&mut hello);
        let fingerprint = ja4(&hello);
        assert_eq!(fingerprint.split('_').next(), Some(expected));
    }
    let empty = "t00i000000_000000000000_000000000000";
    assert_eq!(ja4(&ClientHello::default()), empty);
}

#[test]
fn ja3_is_as_specified() {
    let hello = ClientHello {
        legacy_version: 0x0301,
        cipher_suites: vec![47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
        extensions: vec![0x0a0a, 0, 10, 11],
        groups: vec![23, 24, 25],
        point_formats: vec![0],
        ..ClientHello::default()
    };
    assert_eq!(ja3(&hello), "ada70206e40642a3e4461f35503241d5");
}
