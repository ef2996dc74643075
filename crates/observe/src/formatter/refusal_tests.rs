//! Which format strings are refused, in which words, and which odd ones are not.

use super::Formatter;

#[test]
fn refusals_in_envoys_words() {
    let nothing_at = |format: &str, position| {
        format!(
            "Incorrect configuration: {format}. Couldn't find valid command at position {position}"
        )
    };
    for (format, position) in [
        ("%REQ(a", 0),
        ("50%", 2),
        ("%%%", 2),
        ("a % b", 2),
        ("%REQ(a)", 0),
        ("%REQ(a)b%", 0),
        ("%REQ(a):%", 0),
        ("%REQ(a):-1%", 0),
        ("%REQ(a):99999999999999999999%", 0),
        ("%req(a)%", 0),
        ("%START_TIME(a\nb)%", 0),
        ("%REQ (a)%", 0),
        ("%RESPONSE_CODE%%", 15),
        ("%STREAM_ID%x%", 12),
    ] {
        let error = Formatter::parse(format).unwrap_err();
        assert_eq!(error.to_string(), nothing_at(format, position));
    }
    const CHARACTERS: &str =
        "Invalid header configuration. Format string contains invalid characters.";
    const NEWLINE: &str = "Invalid header configuration. Format string contains newline.";
    const FIELD: &str =
        "Invalid filter state serialize type, FIELD should be used with the field name.";
    for (format, expected) in [
        (
            "%NO_SUCH_THING%",
            "Not supported field in StreamInfo: NO_SUCH_THING",
        ),
        (
            "%REQ_WITHOUT_QUERY(a)%",
            "Not supported field in StreamInfo: REQ_WITHOUT_QUERY",
        ),
        (
            "%DURATION(zz)%",
            "DURATION does not take any parameters or length",
        ),
        (
            "%DURATION:3%",
            "DURATION does not take any parameters or length",
        ),
        ("%REQ%", "REQ requires parameters"),
        ("%REQ()%", "REQ requires parameters"),
        (
            "%REQ(a?b?c)%",
            "More than 1 alternative header specified in token: a?b?c",
        ),
        ("%REQ(A b)%", CHARACTERS),
        ("%REQ(:)%", CHARACTERS),
        ("%REQ(a)):3%", CHARACTERS),
        ("%START_TIME(%n)%", NEWLINE),
        ("%START_TIME(%-5En)%", NEWLINE),
        ("%START_TIME(%%n)%", NEWLINE),
        (
            "%START_TIME:3%",
            "START_TIME does not allow length to be specified.",
        ),
        (
            "%CLUSTER_METADATA(a):5%",
            "CLUSTER_METADATA does not allow length to be specified.",
        ),
        (
            "%COMMON_DURATION(zz)%",
            "Invalid common duration configuration: zz.",
        ),
        (
            "%COMMON_DURATION(a:b:c)%",
            "Invalid common duration precision: c.",
        ),
        (
            "%FILTER_STATE%",
            "Invalid filter state configuration, key cannot be empty.",
        ),
        (
            "%FILTER_STATE(1:2)%",
            "Invalid filter state serialize type, only support PLAIN/TYPED/FIELD.",
        ),
        ("%FILTER_STATE(a:FIELD)%", FIELD),
        ("%FILTER_STATE(a:PLAIN:f)%", FIELD),
        ("%METADATA%", " is not supported type of metadata"),
        (
            "%METADATA(route:a)%",
            "route is not supported type of metadata",
        ),
        (
            "%PATH(zz)%",
            "Invalid PATH option: 'zz', only 'WQ'/'NQ' are allowed",
        ),
        (
            "%PATH(NQ:zz)%",
            "Invalid PATH option: 'zz', only 'ORIG'/'PATH'/'ORIG_OR_PATH' are allowed",
        ),
        (
            "%GRPC_STATUS(zz)%",
            "GrpcStatusFormatter only supports CAMEL_STRING, SNAKE_STRING or NUMBER. Got: zz",
        ),
        ("%CEL(zz)%", "the format command CEL is not built"),
        (
            "%XFCC_VALUE():3%",
            "XFCC_VALUE command requires a subcommand",
        ),
        (
            "%XFCC_VALUE(Zz)%",
            "XFCC_VALUE command does not support subcommand: zz",
        ),
        (
            "%DOWNSTREAM_CX_RTT(a)%",
            "DOWNSTREAM_CX_RTT does not take any parameters or length",
        ),
        (
            "%COALESCE({})%",
            "COALESCE: JSON configuration must contain 'operators' array",
        ),
        (
            "%COALESCE({\"operators\":[]})%",
            "COALESCE: 'operators' array must not be empty",
        ),
        (
            "%COALESCE({\"operators\":[\"NOPE\"]})%",
            "COALESCE: failed to parse operator at index 0: unknown command: 'NOPE'",
        ),
        (
            "%COALESCE({\"operators\":[{\"command\":\"REQ\"}]})%",
            "COALESCE: failed to parse operator at index 0: REQ requires parameters",
        ),
    ] {
        let error = Formatter::parse(format).expect_err(format);
        assert_eq!(error.to_string(), expected, "{format:?}");
    }
}

#[test]
fn accepted_as_envoy_does() {
    for format in [
        "%%",
        "%REQ(?b)%",
        "%REQ(a?)%",
        "%START_TIME(%Y%)%",
        "%DURATION()%",
        "%ENVIRONMENT(a)b)%",
        "%DYNAMIC_METADATA(a)(b)%",
        "%REQ(a):03%",
        "%COMMON_DURATION(::ms)%",
        "%PATH(NQ:ORIG:x)%",
        "%RESPONSE_CODE_DETAILS(x)%",
        "%METADATA(ROUTE)%",
        "%UPSTREAM_METADATA([a)%",
        "\n",
        "%START_TIME((a))%",
        "%EMIT_TIME(%)%",
        "%FILTER_STATE(a:FIELD:f:g)%",
    ] {
        Formatter::parse(format).unwrap_or_else(|why| panic!("{format:?}: {why}"));
    }
}
