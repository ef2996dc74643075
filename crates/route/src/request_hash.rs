//! The hash of a request that hash policies ask for (Envoy's `HashPolicyImpl`).

use crate::hash_policy::{HashCookie, HashInput, HashPolicy};
use nuncio_base::hash::xx_hash64;
use nuncio_base::header_map::HeaderMap;
use nuncio_base::header_name::{HeaderName, names};
use nuncio_matching::Substitution;
use nuncio_matching::cookie::{first_cookie, set_cookie_value};
use nuncio_matching::query::first_value;
use nuncio_stream_info::{FilterState, StreamInfo};
use std::borrow::Cow;

/// The hash of a request, if one of the policies gives one. `set_cookie` is told the `set-cookie`
/// header for a cookie that the request lacks and that is made.
pub fn request_hash(
    policies: &[HashPolicy],
    headers: &HeaderMap,
    info: &StreamInfo,
    set_cookie: &mut dyn FnMut(Vec<u8>),
) -> Option<u64> {
    let mut hash: Option<u64> = None;
    for policy in policies {
        if let Some(new) = input_hash(&policy.input, headers, info, set_cookie) {
            // Turned, so that two policies with the same hash don't cancel each other out.
            hash = Some(hash.map_or(0, |old| old.rotate_left(1)) ^ new);
        }
        if policy.terminal && hash.is_some() {
            break;
        }
    }
    hash
}

fn input_hash(
    input: &HashInput,
    headers: &HeaderMap,
    info: &StreamInfo,
    set_cookie: &mut dyn FnMut(Vec<u8>),
) -> Option<u64> {
    match input {
        HashInput::Header { name, rewrite } => header_hash(name, rewrite.as_ref(), headers),
        HashInput::Cookie(cookie) => {
            let value = first_cookie(headers, cookie.name.as_bytes());
            match value.filter(|value| !value.is_empty()) {
                Some(value) => Some(xx_hash64(value, 0)),
                None => made_cookie_hash(cookie, info, set_cookie),
            }
        }
        HashInput::Nothing => None,
        HashInput::SourceIp => {
            let ip = info.downstream_remote_address().ip_only()?;
            Some(xx_hash64(ip.to_string().as_bytes(), 0))
        }
        HashInput::QueryParameter(name) => {
            let target = headers.get(names::PATH)?;
            Some(xx_hash64(first_value(target, name.as_bytes())?, 0))
        }
        // Of the objects that there are none can be hashed.
        HashInput::FilterState(name) => {
            let of = |state: &FilterState| {
                let object = state.get(name)?;
                object.pool_key().map(|key| xx_hash64(key, 0))
            };
            let of_connection = || of(&info.connection.filter_state.borrow());
            of(&info.filter_state).or_else(of_connection)
        }
    }
}

/// All values of a header, whatever their order.
fn header_hash(
    name: &HeaderName,
    rewrite: Option<&Substitution>,
    headers: &HeaderMap,
) -> Option<u64> {
    let rewritten = |value| match rewrite {
        None => Cow::Borrowed(value),
        Some(rewrite) => {
            let mut out = Vec::new();
            rewrite.replace_all(value, &mut out);
            Cow::Owned(out)
        }
    };
    let mut all = headers.get_all(name);
    let first = rewritten(all.next()?);
    let Some(second) = all.next() else {
        return Some(xx_hash64(&first, 0));
    };
    let mut values = vec![first, rewritten(second)];
    values.extend(all.map(rewritten));
    values.sort_unstable();
    let values = values.iter();
    Some(values.fold(0, |seed, value| xx_hash64(value, seed)))
}

/// A cookie's value is the same for all requests of a connection.
fn made_cookie_hash(
    cookie: &HashCookie,
    info: &StreamInfo,
    set_cookie: &mut dyn FnMut(Vec<u8>),
) -> Option<u64> {
    let ttl = cookie.ttl?;
    let connection = &info.connection;
    let addresses = format!("{}{}", connection.remote_address, connection.local_address);
    let value = format!("{:016x}", xx_hash64(addresses.as_bytes(), 0));
    let (path, max_age) = (&cookie.path, ttl.as_secs());
    set_cookie(set_cookie_value(
        &cookie.name,
        &value,
        max_age,
        path,
        &cookie.attributes,
    ));
    Some(xx_hash64(value.as_bytes(), 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Request;
    use std::time::Duration;

    fn header(name: &str, terminal: bool) -> HashPolicy {
        let name = HeaderName::new(name);
        let input = HashInput::Header {
            name,
            rewrite: None,
        };
        HashPolicy { input, terminal }
    }

    fn hash(policies: &[HashPolicy], request: &Request) -> (Option<u64>, Vec<String>) {
        let mut cookies = Vec::new();
        let mut set = |cookie: Vec<u8>| cookies.push(String::from_utf8_lossy(&cookie).into());
        let hash = request_hash(policies, &request.headers, &request.info, &mut set);
        (hash, cookies)
    }

    #[test]
    fn policies_are_put_together_until_a_terminal_one_gives_a_hash() {
        let request = Request::get("a", "/").with("k", "1").with("j", "2");
        let (one, two) = (xx_hash64(b"1", 0), xx_hash64(b"2", 0));
        let (k, j, none) = (header("k", false), header("j", false), header("n", true));
        for (policies, expected) in [
            (vec![], None),
            (vec![none.clone()], None),
            (vec![k.clone()], Some(one)),
            (vec![k.clone(), j.clone()], Some(one.rotate_left(1) ^ two)),
            (vec![header("k", true), j.clone()], Some(one)),
            (vec![none, j], Some(two)),
            (vec![k.clone(), k], Some(one.rotate_left(1) ^ one)),
        ] {
            assert_eq!(hash(&policies, &request).0, expected, "{policies:?}");
        }
        let two_values = request.with("k", "0");
        let in_order = xx_hash64(b"1", xx_hash64(b"0", 0));
        assert_eq!(hash(&[header("k", false)], &two_values).0, Some(in_order));
    }

    #[test]
    fn a_cookie_that_lacks_is_made() {
        let cookie = |ttl| HashPolicy {
            input: HashInput::Cookie(HashCookie {
                name: "c".into(),
                ttl,
                path: "/p".into(),
                attributes: vec![("Secure".into(), String::new())],
            }),
            terminal: false,
        };
        let request = Request::get("a", "/");
        assert_eq!(hash(&[cookie(None)], &request), (None, Vec::new()));
        let minute = [cookie(Some(Duration::from_secs(60)))];
        let (made, cookies) = hash(&minute, &request);
        let (value, rest) = cookies[0]
            .split_once('"')
            .unwrap()
            .1
            .split_once('"')
            .unwrap();
        assert_eq!(rest, "; Max-Age=60; Path=/p; Secure; HttpOnly");
        assert_eq!(made, Some(xx_hash64(value.as_bytes(), 0)));
        let again = request.with("cookie", &format!("c={value}"));
        assert_eq!(hash(&minute, &again), (made, Vec::new()));
    }
}
