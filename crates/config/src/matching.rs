//! `envoy.type.matcher.v3` and the matchers of routes: protos to `nuncio_matching`.

use nuncio_extension::{ParseCx, Parsed};
use nuncio_matching as matching;
use nuncio_matching::{CidrList, CidrRange, DoubleMatcher, HeaderMatch, IntRange, InvalidMatcher};
use nuncio_proto::envoy::config::core::v3::CidrRange as CidrProto;
use nuncio_proto::envoy::config::route::v3 as route_proto;
use nuncio_proto::envoy::r#type::matcher::v3 as proto;

fn checked<T>(cx: &mut ParseCx, result: Result<T, InvalidMatcher>) -> Parsed<T> {
    result.map_err(|error| cx.error(error.message()))
}

/// A string matcher.
///
/// # Errors
/// A bad regex; a custom matcher, of which none is built.
pub fn string_matcher(
    cx: &mut ParseCx,
    proto: proto::StringMatcher,
) -> Parsed<matching::StringMatcher> {
    use matching::StringMatcher as Matcher;
    use proto::string_matcher::MatchPattern;
    let proto::StringMatcher {
        ignore_case,
        match_pattern,
    } = proto;
    match match_pattern {
        Some(MatchPattern::Exact(text)) => Ok(Matcher::exact(&text, ignore_case)),
        Some(MatchPattern::Prefix(text)) => Ok(Matcher::prefix(&text, ignore_case)),
        Some(MatchPattern::Suffix(text)) => Ok(Matcher::suffix(&text, ignore_case)),
        Some(MatchPattern::Contains(text)) => Ok(Matcher::contains(&text, ignore_case)),
        Some(MatchPattern::SafeRegex(_)) if ignore_case => {
            Err(cx.error("ignore_case has no effect for safe_regex."))
        }
        Some(MatchPattern::SafeRegex(regex)) => {
            cx.field("safe_regex", |cx| checked(cx, Matcher::regex(&regex.regex)))
        }
        Some(MatchPattern::Custom(_)) => Err(cx.not_built("custom")),
        None => Err(cx.error("field: 'match_pattern', reason: is required")),
    }
}

/// A list of string matchers.
///
/// # Errors
/// As [`string_matcher`].
pub fn list_string_matcher(
    cx: &mut ParseCx,
    proto: proto::ListStringMatcher,
) -> Parsed<matching::ListStringMatcher> {
    let patterns = cx.list("patterns", proto.patterns, string_matcher)?;
    Ok(matching::ListStringMatcher::new(patterns))
}

/// A regex that matches a whole text. The engine and its program size are RE2's business.
///
/// # Errors
/// A bad regex, in RE2's words.
pub fn regex(cx: &mut ParseCx, proto: &proto::RegexMatcher) -> Parsed<matching::Regex> {
    checked(cx, matching::Regex::new(&proto.regex))
}

/// A regex with what its matches are replaced by.
///
/// # Errors
/// A bad regex, in RE2's words.
pub fn substitution(
    cx: &mut ParseCx,
    proto: proto::RegexMatchAndSubstitute,
) -> Parsed<matching::Substitution> {
    let proto::RegexMatchAndSubstitute {
        pattern,
        substitution,
    } = proto;
    cx.required("pattern", pattern, |cx, pattern| {
        checked(
            cx,
            matching::Substitution::new(&pattern.regex, &substitution),
        )
    })
}

/// A path matcher.
///
/// # Errors
/// As [`string_matcher`].
pub fn path_matcher(cx: &mut ParseCx, proto: proto::PathMatcher) -> Parsed<matching::PathMatcher> {
    let proto::path_matcher::Rule::Path(path) = match proto.rule {
        Some(rule) => rule,
        None => return Err(cx.error("field: 'rule', reason: is required")),
    };
    let matcher = cx.field("path", |cx| string_matcher(cx, path))?;
    Ok(matching::PathMatcher::new(matcher))
}

/// A header matcher.
///
/// # Errors
/// As [`string_matcher`].
pub fn header_matcher(
    cx: &mut ParseCx,
    proto: route_proto::HeaderMatcher,
) -> Parsed<matching::HeaderMatcher> {
    use matching::StringMatcher as Matcher;
    use route_proto::header_matcher::HeaderMatchSpecifier as Specifier;
    let route_proto::HeaderMatcher {
        name,
        invert_match,
        treat_missing_header_as_empty,
        header_match_specifier,
    } = proto;
    let what = match header_match_specifier {
        None => HeaderMatch::Present(true),
        Some(Specifier::PresentMatch(present)) => HeaderMatch::Present(present),
        Some(Specifier::RangeMatch(range)) => HeaderMatch::Range(IntRange {
            start: range.start,
            end: range.end,
        }),
        Some(Specifier::ExactMatch(text)) => HeaderMatch::Value(Matcher::exact(&text, false)),
        Some(Specifier::PrefixMatch(text)) => HeaderMatch::Value(Matcher::prefix(&text, false)),
        Some(Specifier::SuffixMatch(text)) => HeaderMatch::Value(Matcher::suffix(&text, false)),
        Some(Specifier::ContainsMatch(text)) => HeaderMatch::Value(Matcher::contains(&text, false)),
        Some(Specifier::SafeRegexMatch(regex)) => {
            let matcher = cx.field("safe_regex_match", |cx| {
                checked(cx, Matcher::regex(&regex.regex))
            });
            HeaderMatch::Value(matcher?)
        }
        Some(Specifier::StringMatch(matcher)) => {
            HeaderMatch::Value(cx.field("string_match", |cx| string_matcher(cx, matcher))?)
        }
    };
    Ok(matching::HeaderMatcher::new(&name, what)
        .inverted(invert_match)
        .missing_as_empty(treat_missing_header_as_empty))
}

/// A query parameter matcher.
///
/// # Errors
/// As [`string_matcher`].
pub fn query_parameter_matcher(
    cx: &mut ParseCx,
    proto: route_proto::QueryParameterMatcher,
) -> Parsed<matching::QueryParameterMatcher> {
    use matching::QueryParameterMatcher as Matcher;
    use route_proto::query_parameter_matcher::QueryParameterMatchSpecifier as Specifier;
    let route_proto::QueryParameterMatcher {
        name,
        query_parameter_match_specifier,
    } = proto;
    match query_parameter_match_specifier {
        None => Ok(Matcher::present(&name, true)),
        Some(Specifier::PresentMatch(present)) => Ok(Matcher::present(&name, present)),
        Some(Specifier::StringMatch(matcher)) => {
            let matcher = cx.field("string_match", |cx| string_matcher(cx, matcher))?;
            Ok(Matcher::value(&name, matcher))
        }
    }
}

/// A cookie matcher.
///
/// # Errors
/// As [`string_matcher`].
pub fn cookie_matcher(
    cx: &mut ParseCx,
    proto: route_proto::CookieMatcher,
) -> Parsed<matching::CookieMatcher> {
    let route_proto::CookieMatcher {
        name,
        string_match,
        invert_match,
    } = proto;
    let matcher = cx.required("string_match", string_match, string_matcher)?;
    Ok(matching::CookieMatcher::new(&name, matcher, invert_match))
}

/// A value matcher. How deep it goes was bounded when it was loaded.
///
/// # Errors
/// As [`string_matcher`].
pub fn value_matcher(
    cx: &mut ParseCx,
    proto: proto::ValueMatcher,
) -> Parsed<matching::ValueMatcher> {
    use matching::ValueMatcher as Matcher;
    use proto::list_matcher::MatchPattern as ListPattern;
    use proto::value_matcher::MatchPattern;
    let required = "field: 'match_pattern', reason: is required";
    match proto.match_pattern {
        Some(MatchPattern::NullMatch(_)) => Ok(Matcher::Null),
        Some(MatchPattern::DoubleMatch(matcher)) => {
            let matcher = cx.field("double_match", |cx| double_matcher(cx, matcher))?;
            Ok(Matcher::Double(matcher))
        }
        Some(MatchPattern::StringMatch(matcher)) => {
            let matcher = cx.field("string_match", |cx| string_matcher(cx, matcher))?;
            Ok(Matcher::Text(matcher))
        }
        Some(MatchPattern::BoolMatch(value)) => Ok(Matcher::Bool(value)),
        Some(MatchPattern::PresentMatch(present)) => Ok(Matcher::Present(present)),
        Some(MatchPattern::ListMatch(list)) => {
            cx.field("list_match", |cx| match list.match_pattern {
                Some(ListPattern::OneOf(matcher)) => {
                    let matcher = cx.field("one_of", |cx| value_matcher(cx, *matcher))?;
                    Ok(Matcher::ListOneOf(Box::new(matcher)))
                }
                None => Err(cx.error(required)),
            })
        }
        Some(MatchPattern::OrMatch(or)) => cx.field("or_match", |cx| {
            let matchers = cx.list("value_matchers", or.value_matchers, value_matcher)?;
            Ok(Matcher::Or(matchers.into()))
        }),
        None => Err(cx.error(required)),
    }
}

/// A number matcher.
///
/// # Errors
/// None that the load's constraints leave.
pub fn double_matcher(cx: &mut ParseCx, proto: proto::DoubleMatcher) -> Parsed<DoubleMatcher> {
    use proto::double_matcher::MatchPattern;
    match proto.match_pattern {
        Some(MatchPattern::Range(range)) => Ok(DoubleMatcher::Range {
            start: range.start,
            end: range.end,
        }),
        Some(MatchPattern::Exact(number)) => Ok(DoubleMatcher::Exact(number)),
        None => Err(cx.error("field: 'match_pattern', reason: is required")),
    }
}

/// A metadata matcher.
///
/// # Errors
/// As [`value_matcher`].
pub fn metadata_matcher(
    cx: &mut ParseCx,
    proto: proto::MetadataMatcher,
) -> Parsed<matching::MetadataMatcher> {
    use proto::metadata_matcher::path_segment::Segment;
    let proto::MetadataMatcher {
        filter,
        path,
        value,
        invert,
    } = proto;
    let path = path.into_iter().map(|segment| match segment.segment {
        Some(Segment::Key(key)) => key,
        None => String::new(),
    });
    let path = path.collect();
    let value = cx.required("value", value, value_matcher)?;
    Ok(matching::MetadataMatcher::new(&filter, path, value, invert))
}

/// An address matcher.
///
/// # Errors
/// A range whose address is none, in Envoy's words.
pub fn address_matcher(
    cx: &mut ParseCx,
    proto: proto::AddressMatcher,
) -> Parsed<matching::AddressMatcher> {
    let proto::AddressMatcher {
        ranges,
        invert_match,
    } = proto;
    let ranges = cx.list("ranges", ranges, |cx, range| {
        let length = range.prefix_len.map_or(0, |length| length.value);
        let address = range.address_prefix;
        CidrRange::parse(&address, length).map_err(|_| {
            cx.error(format!(
                "invalid ip/mask combo '{address}/{length}' (format is <ip>/<# mask bits>)"
            ))
        })
    })?;
    Ok(matching::AddressMatcher::new(
        CidrList::new(ranges),
        invert_match,
    ))
}

/// A range of addresses.
///
/// # Errors
/// An address that is none, in Envoy's words.
pub fn cidr_range(cx: &mut ParseCx, proto: CidrProto) -> Parsed<CidrRange> {
    let CidrProto {
        address_prefix,
        prefix_len,
    } = proto;
    let length = prefix_len.map_or(0, |length| length.value);
    checked(cx, CidrRange::parse(&address_prefix, length))
}
