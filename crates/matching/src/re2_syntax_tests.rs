//! Which regexes RE2 takes: recorded from Envoy.

use crate::regex::{Regex, Substitution};

/// What Envoy 1.40.0 said to each of these as a route's `safe_regex`.
const REFUSED: &[(&str, &str)] = &[
    ("a(b", "missing ): a(b"),
    ("a)b", "unexpected ): a)b"),
    ("(?!a)b", "invalid perl operator: (?!"),
    ("(?=a)", "invalid perl operator: (?="),
    ("(?<=a)b", "invalid perl operator: (?<="),
    ("(?<!a)", "invalid perl operator: (?<!"),
    ("(?>a)", "invalid perl operator: (?>"),
    ("(?x)a", "invalid perl operator: (?x"),
    ("(?R)a", "invalid perl operator: (?R"),
    ("(?i", "invalid perl operator: (?i"),
    ("(?P=n)", "invalid perl operator: (?P"),
    ("(?P<n", "invalid named capture group: (?P<n"),
    ("(?'n'a)", "invalid perl operator: (?'"),
    ("a**", "bad repetition operator: **"),
    ("a*+", "bad repetition operator: *+"),
    ("a{2}{3}", "bad repetition operator: {2}{3}"),
    ("a{2}*", "bad repetition operator: {2}*"),
    ("a*??", "bad repetition operator: *??"),
    ("*a", "no argument for repetition operator: *"),
    ("(*a)", "no argument for repetition operator: *"),
    ("a|*", "no argument for repetition operator: *"),
    ("{2}", "no argument for repetition operator: {2}"),
    ("a{2,1}", "invalid repetition size: {2,1}"),
    ("a{1001}", "invalid repetition size: {1001}"),
    ("(a{1000}){1000}", "invalid repetition size: {1000}"),
    ("((a{100}){100}){100}", "invalid repetition size: {100}"),
    ("(a{2,}){501}", "invalid repetition size: {501}"),
    ("[abc", "missing ]: [abc"),
    ("[]", "missing ]: []"),
    ("[a-", "missing ]: [a-"),
    ("[z-a]", "invalid character class range: z-a"),
    ("[a--b]", "invalid character class range: a--"),
    ("[a-\\d]", "invalid escape sequence: \\d"),
    ("[[:foo:]]", "invalid character class range: [:foo:]"),
    ("[\\b]", "invalid escape sequence: \\b"),
    ("\\1", "invalid escape sequence: \\1"),
    ("\\8", "invalid escape sequence: \\8"),
    ("\\Z", "invalid escape sequence: \\Z"),
    ("\\E", "invalid escape sequence: \\E"),
    ("\\p{Foo}", "invalid character class range: \\p{Foo}"),
    ("\\p", "invalid character class range: \\p"),
    ("\\x", "invalid escape sequence: \\x"),
    ("\\x1", "invalid escape sequence: \\x1"),
    ("\\x{110000}", "invalid escape sequence: \\x{110"),
    ("\\x{100}", "invalid escape sequence: \\x{100"),
    ("\\x{}", "invalid escape sequence: \\x{}"),
    ("\\u0041", "invalid escape sequence: \\u"),
    ("\\é", "invalid escape sequence: \\Ã"),
    ("a\\", "trailing \\"),
    ("(", "missing ): ("),
    ("(?:a", "missing ): (?:a"),
    ("(?#c)a", "invalid perl operator: (?#"),
    ("(?i-)a", "invalid perl operator: (?i-)"),
    ("(?-)a", "invalid perl operator: (?-)"),
    ("(?im-s-U)a", "invalid perl operator: (?im-s-"),
];

#[test]
fn what_re2_refuses_is_refused_in_its_words() {
    for (pattern, error) in REFUSED {
        match Regex::new(pattern) {
            Ok(_) => panic!("{pattern} was taken"),
            Err(got) => assert_eq!(got.message(), *error, "{pattern}"),
        }
    }
}

/// Pattern, what it matches whole, what it does not; parted by blanks.
const TAKEN: &[(&str, &str, &str)] = &[
    ("(?U)a", "a", "b"),
    ("(?i)aB", "ab AB", "a"),
    ("(?)a", "a", ""),
    ("(?ii)a", "A", "b"),
    ("(?s-i:a)", "a", "A"),
    ("(?P<n>a)(?P<n>b)", "ab", "a"),
    ("(?<n>a)", "a", "b"),
    ("(?P<1>a)", "a", "b"),
    ("(a*)*", "aaa", "b"),
    ("a{", "a{", "a"),
    ("a{,3}", "a{,3}", "aa"),
    ("a{01}", "a{01}", "a"),
    ("a{1,", "a{1,", "a"),
    ("a{x}", "a{x}", "a"),
    ("a{2,}", "aa aaa", "a"),
    ("a{1,2}?", "a aa", "aaa"),
    ("^*a$", "a", "b"),
    ("[]a]", "] a", "b"),
    ("[^]a]", "b", "] a"),
    ("[\\d-z]", "5 - z", "a"),
    ("[[:alpha:]]", "a Z", "1"),
    ("[[:^alpha:]]", "1", "a"),
    ("[a&&b]", "a & b", "c"),
    ("[[a]b]", "[b] ab]", "a"),
    ("[[a]", "[ a", "b"),
    ("[a-b-c]", "a b - c", "d"),
    ("[-a]", "- a", "b"),
    ("[a-]", "- a", "b"),
    ("(?i)[^a]", "b", "a A"),
    ("[^\\x00-\\xff]", "", "a"),
    ("\\x41\\x{42}\\103", "ABC", "abc"),
    ("\\Qa(b\\E+", "a(b a(bb", "a"),
    ("\\Qa.b", "a.b", "axb"),
    ("\\<a\\>", "<a>", "a"),
    ("a\\b{s}", "a{s}", "a"),
    ("\\pL+", "ab", "1"),
    ("\\p{Lu}", "A", "a"),
    ("\\PL", "1", "a"),
    ("\\p{^L}", "1", "a"),
    ("\\p{Greek}", "", "a"),
    ("\\_\\-", "_-", "a"),
    ("\\C\\C", "é", "a"),
    ("é+", "é", "éé"),
    ("(|a)", "a", "b"),
    ("a||b", "a b", "c"),
    ("a~~b", "a~~b", "a"),
    ("\\w\\d\\S", "a1x", "-1x"),
];

#[test]
fn what_re2_takes_means_the_same() {
    for (pattern, yes, no) in TAKEN {
        let regex = Regex::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        for text in yes.split(' ').filter(|text| !text.is_empty()) {
            assert!(regex.is_full_match(text.as_bytes()), "{pattern} on {text}");
        }
        for text in no.split(' ').filter(|text| !text.is_empty()) {
            assert!(!regex.is_full_match(text.as_bytes()), "{pattern} on {text}");
        }
    }
    assert!(Regex::new("a.b").unwrap().is_full_match(b"a\xe9b"));
    assert!(Regex::new("a\\pLb").unwrap().is_full_match(b"a\xe9b"));
    assert!(!Regex::new("a.b").unwrap().is_full_match(b"a\nb"));
    assert!(!Regex::new("\\s").unwrap().is_full_match(b"\x0b"));
}

#[test]
fn rewrites_follow_re2() {
    for (pattern, rewrite, text, result) in [
        ("a", "b", "banana", "bbnbnb"),
        ("^/re/([a-z]+)", "/was/\\1", "/re/abc/d", "/was/abc/d"),
        ("(a)(b)?", "[\\2\\1\\0]", "ab a", "[baab] [aa]"),
        ("a", "\\\\", "xax", "x\\x"),
        ("a", "\\1", "xax", "xax"),
        ("a", "\\q", "xax", "xax"),
        ("a", "\\", "xax", "xax"),
        ("x*", "-", "abc", "-a-b-c-"),
        ("b*", "-", "abc", "-a-c-"),
        ("$", "!", "a", "a!"),
        ("z", "y", "abc", "abc"),
    ] {
        let mut out = Vec::new();
        let substitution = Substitution::new(pattern, rewrite).unwrap();
        substitution.replace_all(text.as_bytes(), &mut out);
        let out = String::from_utf8_lossy(&out);
        assert_eq!(out, result, "{pattern} {rewrite} on {text}");
    }
}
