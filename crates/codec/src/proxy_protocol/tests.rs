//! What Envoy 1.40 made of the same bytes.

use super::*;

fn v2(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([command, family]);
    bytes.extend((payload.len() as u16).to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn found(version: Version, len: usize, ends: Option<(&str, &str)>) -> Inspection {
    let endpoints = ends.map(|(source, destination)| Endpoints {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
    });
    Inspection::Found(Header {
        version,
        endpoints,
        len,
    })
}

#[test]
fn lines_of_version_1() {
    let wrong = Inspection::Wrong(Version::V1);
    let tcp4 = Some(("1.2.3.4:1", "5.6.7.8:2"));
    let long = format!("PROXY TCP4 1.2.3.4 5.6.7.8 1 2{}\r\n", " ".repeat(100));
    for (line, expected) in [
        ("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", Some(tcp4)),
        ("PROXY TCP4 1.2.3.4 5.6.7.8 01 +2\r\n", Some(tcp4)),
        ("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", Some(tcp4)),
        (
            "PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n",
            Some(Some(("1.2.3.4:0", "5.6.7.8:0"))),
        ),
        (
            "PROXY TCP6 ::1:2 ::3 1 2\r\n",
            Some(Some(("[::1:2]:1", "[::3]:2"))),
        ),
        ("PROXY UNKNOWN\r\n", Some(None)),
        ("PROXY UNKNOWN ffff::1 ::1 1 2\r\n", Some(None)),
        ("PROXY UNKNOWNx\r\n", None),
        ("PROXY TCP4 ::1 ::2 1 2\r\n", None),
        ("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", None),
        ("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n", None),
        ("PROXY TCP4 1.2.3.4 5.6.7.8 70000 2\r\n", None),
        ("PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n", None),
        ("PROXY TCP4 0.0.0.0 5.6.7.8 1 2\r\n", None),
        ("PROXY TCP4 1.2.3.4 0.0.0.0 1 2\r\n", None),
        ("PROXY TCP4 224.0.0.1 5.6.7.8 1 2\r\n", None),
        ("PROXY TCP4 255.255.255.255 5.6.7.8 1 2\r\n", None),
        ("PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n", None),
        ("PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n", None),
        ("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\nGET / HTTP/1.1\r\n", None),
        (&long, None),
    ] {
        let expected = expected.map_or(wrong, |ends| found(Version::V1, line.len(), ends));
        assert_eq!(inspect(line.as_bytes()), expected, "{line:?}");
    }
}

#[test]
fn headers_of_version_2() {
    let wrong = Inspection::Wrong(Version::V2);
    let tcp4 = [1, 2, 3, 4, 5, 6, 7, 8, 0, 11, 0, 22];
    let ends = Some(("1.2.3.4:11", "5.6.7.8:22"));
    let mut tcp6 = [0; 36];
    (tcp6[15], tcp6[31], tcp6[33], tcp6[35]) = (1, 2, 3, 4);
    let with = |more: &[u8]| [&tcp4[..], more].concat();
    let multicast = [&[224, 0, 0, 1][..], &tcp4[4..]].concat();
    for (name, bytes, expected) in [
        ("tcp4", v2(0x21, 0x11, &tcp4), Some(ends)),
        ("udp4", v2(0x21, 0x12, &tcp4), Some(ends)),
        (
            "tcp6",
            v2(0x21, 0x21, &tcp6),
            Some(Some(("[::1]:3", "[::2]:4"))),
        ),
        ("local", v2(0x20, 0, b""), Some(None)),
        ("local with addresses", v2(0x20, 0x11, &tcp4), Some(None)),
        ("tlv", v2(0x21, 0x11, &with(b"\xe2\0\x03abc")), Some(ends)),
        (
            "tlv cut short",
            v2(0x21, 0x11, &with(b"\xe2\0\x09abc")),
            None,
        ),
        ("tlv without length", v2(0x21, 0x11, &with(b"\xe2")), None),
        ("unspecified family", v2(0x21, 0, b"abcd"), None),
        ("unspecified transport", v2(0x21, 0x10, &tcp4), None),
        ("unix", v2(0x21, 0x31, &[0; 216]), None),
        ("unknown family", v2(0x21, 0x41, &tcp4), None),
        ("unknown version", v2(0x11, 0x11, &tcp4), None),
        ("unknown command", v2(0x22, 0x11, &tcp4), None),
        ("too short", v2(0x21, 0x11, &tcp4[..8]), None),
        ("multicast", v2(0x21, 0x11, &multicast), None),
    ] {
        let expected = expected.map_or(wrong, |ends| found(Version::V2, bytes.len(), ends));
        assert_eq!(inspect(&bytes), expected, "{name}");
    }
}

#[test]
fn a_header_may_come_byte_by_byte() {
    for whole in [
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n".to_vec(),
        v2(0x21, 0x11, &[1, 2, 3, 4, 5, 6, 7, 8, 0, 11, 0, 22]),
    ] {
        for len in 0..whole.len() {
            assert_eq!(inspect(&whole[..len]), Inspection::Incomplete, "{len}");
        }
        let more = [&whole[..], b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(inspect(&more), inspect(&whole));
    }
    for other in ["GET /", "PROXYTCP4", "proxy TCP4", "\r\n\r\n\0\r\nQUITx"] {
        assert_eq!(inspect(other.as_bytes()), Inspection::NotFound, "{other:?}");
    }
}

#[test]
fn type_length_values() {
    let header = |command, family, payload: &[u8]| {
        let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
        header.extend([command, family, 0, payload.len() as u8]);
        header.extend(payload);
        header
    };
    let behind = |addresses: usize, tlvs: &[u8]| [&vec![1; addresses][..], tlvs].concat();
    let two = b"\xe2\0\x02ab\x04\0\0";
    let found = vec![(0xe2, &b"ab"[..]), (4, b"")];
    for (header, expected) in [
        (header(0x21, 0x11, &behind(12, two)), found.clone()),
        (header(0x21, 0x21, &behind(36, two)), found),
        (header(0x21, 0x11, &behind(12, b"")), vec![]),
        (header(0x20, 0, two), vec![]),
        (b"PROXY UNKNOWN\r\n".to_vec(), vec![]),
    ] {
        assert_eq!(tlvs(&header).collect::<Vec<_>>(), expected, "{header:?}");
    }
}
