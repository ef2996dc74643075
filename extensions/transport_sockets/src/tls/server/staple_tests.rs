//! Responses good and bad, and what becomes of them.

use super::*;
use std::time::{Duration, UNIX_EPOCH};

fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head: &[u8] = match length {
        0..0x80 => &[tag, length as u8],
        _ => &[tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [head, content].concat()
}

fn single(next_update: Option<&str>) -> Vec<u8> {
    let id = [
        value(SEQUENCE, &value(OBJECT_IDENTIFIER, &[0x2b])),
        value(OCTET_STRING, &[1; 20]),
        value(OCTET_STRING, &[2; 20]),
        value(INTEGER, &[0, 0x90, 7]),
    ];
    let next = next_update.map(|time| value(TAG_0, &value(GENERALIZED_TIME, time.as_bytes())));
    let fields = [
        value(SEQUENCE, &id.concat()),
        value(0x80, &[]),
        value(GENERALIZED_TIME, b"20260101000000Z"),
        next.unwrap_or_default(),
    ];
    value(SEQUENCE, &fields.concat())
}

fn response(status: u8, singles: &[Vec<u8>]) -> Vec<u8> {
    let data = [
        value(TAG_0, &value(INTEGER, &[0])),
        value(0xa1, &value(SEQUENCE, &[])),
        value(GENERALIZED_TIME, b"20260101000000Z"),
        value(SEQUENCE, &singles.concat()),
    ];
    let basic = value(SEQUENCE, &value(SEQUENCE, &data.concat()));
    let bytes = [
        value(OBJECT_IDENTIFIER, &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1]),
        value(OCTET_STRING, &basic),
    ];
    let bytes = value(TAG_0, &value(SEQUENCE, &bytes.concat()));
    value(SEQUENCE, &[value(ENUMERATED, &[status]), bytes].concat())
}

#[test]
fn responses_are_read() {
    let good = response(0, &[single(Some("20260102000000Z"))]);
    let read_good = read(&good).unwrap();
    assert_eq!(read_good.serial, [0x90, 7]);
    let until = UNIX_EPOCH + Duration::from_secs(1_767_312_000);
    assert_eq!(read_good.next_update, Some(until));
    assert_eq!(
        read(&response(0, &[single(None)])).unwrap().next_update,
        None
    );
    let malformed = Err("OCSP response is malformed");
    for end in 0..good.len() {
        assert_eq!(read(&good[..end]), malformed, "{end}");
    }
    let trailing = [good.as_slice(), b"x"].concat();
    let cases = [
        (trailing, "Data contained more than a single OCSP response"),
        (response(3, &[]), "OCSP response was unsuccessful"),
        (
            value(SEQUENCE, &value(ENUMERATED, &[0])),
            "OCSP response has no body",
        ),
        (
            response(0, &[single(None), single(None)]),
            "OCSP Response must be for one certificate only",
        ),
    ];
    for (der, expected) in cases {
        assert_eq!(read(&der), Err(expected));
    }
}

#[test]
fn policies_differ_in_what_is_missing_or_old() {
    use StapleAction::{Fail, Omit, Staple as Shown};
    let now = UNIX_EPOCH + Duration::from_secs(1000);
    let later = Some(Some(now + Duration::from_secs(1)));
    let earlier = Some(Some(now - Duration::from_secs(1)));
    let cases = [
        (StaplePolicy::Lenient, [Shown, Omit, Omit, Omit]),
        (StaplePolicy::Strict, [Shown, Fail, Fail, Omit]),
        (StaplePolicy::Must, [Shown, Fail, Fail, Fail]),
    ];
    for (policy, expected) in cases {
        let responses = [later, earlier, Some(None), None];
        let actions = responses.map(|response| Staple { policy, response }.action(now));
        assert_eq!(actions, expected, "{policy:?}");
    }
}
