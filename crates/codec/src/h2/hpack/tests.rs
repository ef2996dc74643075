//! HPACK against RFC 7541's examples, and against itself.

use super::*;
use nuncio_base::Known;

#[derive(Default)]
struct Listed(Vec<String>);

impl Fields for Listed {
    fn field(&mut self, field: Field<'_>) -> bool {
        let Field {
            known, name, value, ..
        } = field;
        assert_eq!(known, Known::find(name));
        let text = String::from_utf8_lossy;
        self.0.push(format!("{}: {}", text(name), text(value)));
        true
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .collect()
}

fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<String>, HpackError> {
    let mut listed = Listed::default();
    decoder.decode(block, &mut listed).map(|()| listed.0)
}

const REQUESTS: [&[&str]; 3] = [
    &[
        ":method: GET",
        ":scheme: http",
        ":path: /",
        ":authority: www.example.com",
    ],
    &[
        ":method: GET",
        ":scheme: http",
        ":path: /",
        ":authority: www.example.com",
        "cache-control: no-cache",
    ],
    &[
        ":method: GET",
        ":scheme: https",
        ":path: /index.html",
        ":authority: www.example.com",
        "custom-key: custom-value",
    ],
];

const RESPONSES: [&[&str]; 3] = [
    &[
        ":status: 302",
        "cache-control: private",
        "date: Mon, 21 Oct 2013 20:13:21 GMT",
        "location: https://www.example.com",
    ],
    &[
        ":status: 307",
        "cache-control: private",
        "date: Mon, 21 Oct 2013 20:13:21 GMT",
        "location: https://www.example.com",
    ],
    &[
        ":status: 200",
        "cache-control: private",
        "date: Mon, 21 Oct 2013 20:13:22 GMT",
        "location: https://www.example.com",
        "content-encoding: gzip",
        "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
    ],
];

#[test]
fn the_examples_of_appendix_c() {
    for (size, blocks, lists) in [
        (
            4096,
            [
                "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
                "8286 84be 5808 6e6f 2d63 6163 6865",
                "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
            ],
            REQUESTS,
        ),
        (
            4096,
            [
                "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
                "8286 84be 5886 a8eb 1064 9cbf",
                "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
            ],
            REQUESTS,
        ),
        (
            256,
            [
                "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
                 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
                 6c65 2e63 6f6d",
                "4803 3330 37c1 c0bf",
                "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
                 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
                 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
                 3d31",
            ],
            RESPONSES,
        ),
        (
            256,
            [
                "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
                 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
                "4883 640e ffc1 c0bf",
                "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
                 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
                 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
            ],
            RESPONSES,
        ),
    ] {
        let mut decoder = Decoder::new(size);
        for (block, list) in blocks.iter().zip(lists) {
            let fields = decode(&mut decoder, &bytes(block)).unwrap();
            assert_eq!(fields, list, "{block}");
        }
    }
}

#[test]
fn what_is_no_block() {
    for (block, error) in [
        ("80", HpackError::Index),
        ("be", HpackError::Index),
        ("ff00 be", HpackError::Index),
        ("ff ffff ffff ff", HpackError::Number),
        ("ff", HpackError::Truncated),
        ("40", HpackError::Truncated),
        ("4003 61", HpackError::Truncated),
        ("0001 6105 61", HpackError::Truncated),
        // A table larger than allowed, or resized behind a field.
        ("3fe2 1f", HpackError::TableSize),
        ("8220", HpackError::TableSize),
        // Padding of zeros, of a whole byte, and the end of a string within it.
        ("0001 6181 18", HpackError::Huffman),
        ("0001 6182 1fff", HpackError::Huffman),
        ("0001 6184 ffff fffc", HpackError::Huffman),
    ] {
        let got = decode(&mut Decoder::new(4096), &bytes(block));
        assert_eq!(got, Err(error), "{block}");
    }
}

#[test]
fn a_smaller_table_must_be_announced_once_the_peer_knows() {
    let mut decoder = Decoder::new(4096);
    decoder.set_limit(0);
    assert_eq!(
        decode(&mut decoder, &bytes("82")),
        Err(HpackError::TableSize)
    );
    assert_eq!(
        decode(&mut decoder, &bytes("2082")).unwrap(),
        [":method: GET"]
    );
}

#[test]
fn what_is_encoded_is_decoded_as_it_was() {
    let names = [
        "x-a",
        ":path",
        "cookie",
        "authorization",
        "accept",
        "x-longer-name",
        "date",
    ];
    for (limit, sizes) in [
        (4096, [4096, 100, 0]),
        (0, [0, 0, 0]),
        (200, [4096, 64, 200]),
    ] {
        let mut encoder = Encoder::new(limit, true);
        let mut decoder = Decoder::new(4096);
        let mut seed = 1_u32;
        for round in 0..300_usize {
            if round % 100 == 99 {
                encoder.set_max_size(1);
                encoder.set_max_size(sizes[round / 100]);
            }
            encoder.begin();
            let mut expected = Vec::new();
            for _ in 0..8 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let name = names[(seed >> 8) as usize % names.len()];
                let length = (seed >> 16) as usize % 60;
                let value: Vec<u8> = (0..length)
                    .map(|at| b' ' + ((seed >> 24) as usize % 7 * at) as u8 % 95)
                    .collect();
                encoder.field(Known::find(name.as_bytes()), name.as_bytes(), &value);
                expected.push(format!("{name}: {}", String::from_utf8_lossy(&value)));
            }
            assert_eq!(decode(&mut decoder, encoder.block()).unwrap(), expected);
        }
    }
}

#[test]
fn every_byte_has_a_code() {
    let all: Vec<u8> = (0..=255).collect();
    for text in [&all[..], b"", b"a", &[255; 9]] {
        let mut encoded = Vec::new();
        huffman::encode(text, &mut encoded);
        assert_eq!(encoded.len(), huffman::encoded_len(text));
        let mut decoded = Vec::new();
        huffman::decode(&encoded, &mut decoded).unwrap();
        assert_eq!(decoded, text);
    }
}
