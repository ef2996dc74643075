//! Order, repeats and sizes.

use super::*;
use crate::header_name::HeaderName;

fn text(map: &HeaderMap) -> String {
    let field = |(n, v): (&[u8], &[u8])| {
        format!(
            "{}={}",
            String::from_utf8_lossy(n),
            String::from_utf8_lossy(v)
        )
    };
    map.iter().map(field).collect::<Vec<_>>().join(" ")
}

#[test]
fn order_is_as_added_with_pseudo_headers_first() {
    let mut map =
        HeaderMap::from_iter([("b", "1"), (":path", "/"), ("a", "2"), (":method", "GET")]);
    assert_eq!(text(&map), ":path=/ :method=GET b=1 a=2");
    map.set(names::PATH, b"/longer");
    map.set("b", b"");
    map.replace("b", b"x");
    assert_eq!(text(&map), ":path=/longer :method=GET a=2 b=x");
    assert_eq!(map.byte_size(), 5 + 7 + 7 + 3 + 1 + 1 + 1 + 1);
}

#[test]
fn repeats_join_or_stay_apart_as_the_name_says() {
    let mut map = HeaderMap::new();
    for (name, value) in [
        ("accept", "a"),
        ("x-own", "1"),
        ("accept", "b"),
        ("x-own", "2"),
        ("set-cookie", "c"),
        ("set-cookie", "d"),
    ] {
        map.receive(name, value.as_bytes(), MessageKind::Request);
    }
    assert_eq!(
        text(&map),
        "accept=a,b x-own=1 x-own=2 set-cookie=c set-cookie=d"
    );
    assert_eq!(map.get_all("x-own").count(), 2);
    let own = HeaderName::new("X-Own");
    map.set(&own, b"3");
    assert_eq!(map.get_all(&own).collect::<Vec<_>>(), [b"3"]);
    assert_eq!(map.remove(names::SET_COOKIE), 2);
    assert!(!map.contains(names::SET_COOKIE));
    assert_eq!(text(&map), "accept=a,b x-own=3");
}

#[test]
fn size_follows_every_change() {
    let mut map = HeaderMap::new();
    map.append("x-a", b"12345");
    map.append(names::HOST, b"h");
    map.set("x-a", b"1");
    map.join(names::VIA, b"one");
    map.join(names::VIA, b"two");
    map.retain(|name, _| name != b"host");
    let sum: usize = map.iter().map(|(n, v)| n.len() + v.len()).sum();
    assert_eq!(map.byte_size(), sum);
    map.clear();
    assert_eq!(
        (map.byte_size(), map.len(), map.get(names::VIA)),
        (0, 0, None)
    );
}
