//! Messages that Envoy has and the crate envoy-types lacks, as `build/overlay.txt` lists them.

use prost::{Message, Name};

use crate::google::protobuf::Struct;
use crate::xds::core::v3::CidrRange;
use crate::xds::r#type::matcher::v3::matcher::OnMatch;
use crate::xds::r#type::v3::CelExpression;

/// Declares a message: its full name, and its fields as prost's attributes have them.
macro_rules! message {
    ($(#[$doc:meta])* $name:ident, $package:literal, $short:literal {
        $($(#[$attribute:meta])* $field:ident: $type:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Message)]
        pub struct $name {
            $($(#[$attribute])* pub $field: $type,)*
        }

        impl Name for $name {
            const NAME: &'static str = $short;
            const PACKAGE: &'static str = $package;

            fn full_name() -> String {
                concat!($package, ".", $short).to_owned()
            }
        }
    };
}

message! {
    /// `google.protobuf.FieldMask`.
    FieldMask, "google.protobuf", "FieldMask" {
        /// Paths of fields.
        #[prost(string, repeated, tag = "1")]
        paths: Vec<String>,
    }
}

message! {
    /// `udpa.type.v1.TypedStruct`; `any` gets what it means out.
    UdpaTypedStruct, "udpa.type.v1", "TypedStruct" {
        /// The type that `value` stands for.
        #[prost(string, tag = "1")]
        type_url: String,
        /// Its fields.
        #[prost(message, optional, tag = "2")]
        value: Option<Struct>,
    }
}

message! {
    /// `xds.type.v3.TypedStruct`; `any` gets what it means out.
    TypedStruct, "xds.type.v3", "TypedStruct" {
        /// The type that `value` stands for.
        #[prost(string, tag = "1")]
        type_url: String,
        /// Its fields.
        #[prost(message, optional, tag = "2")]
        value: Option<Struct>,
    }
}

message! {
    /// `xds.type.matcher.v3.IPMatcher`.
    IpMatcher, "xds.type.matcher.v3", "IPMatcher" {
        /// What each set of ranges leads to.
        #[prost(message, repeated, tag = "1")]
        range_matchers: Vec<IpRangeMatcher>,
    }
}

message! {
    /// `xds.type.matcher.v3.IPMatcher.IPRangeMatcher`.
    IpRangeMatcher, "xds.type.matcher.v3", "IPMatcher.IPRangeMatcher" {
        /// The ranges.
        #[prost(message, repeated, tag = "1")]
        ranges: Vec<CidrRange>,
        /// What an address in them leads to.
        #[prost(message, optional, tag = "2")]
        on_match: Option<OnMatch>,
        /// Whether they count only where no longer prefix has the address.
        #[prost(bool, tag = "3")]
        exclusive: bool,
    }
}

message! {
    /// `xds.type.matcher.v3.ServerNameMatcher`.
    ServerNameMatcher, "xds.type.matcher.v3", "ServerNameMatcher" {
        /// What each set of domains leads to.
        #[prost(message, repeated, tag = "1")]
        domain_matchers: Vec<DomainMatcher>,
    }
}

message! {
    /// `xds.type.matcher.v3.ServerNameMatcher.DomainMatcher`.
    DomainMatcher, "xds.type.matcher.v3", "ServerNameMatcher.DomainMatcher" {
        /// The domains, exact or `*.suffix`.
        #[prost(string, repeated, tag = "1")]
        domains: Vec<String>,
        /// What a name in them leads to.
        #[prost(message, optional, tag = "2")]
        on_match: Option<OnMatch>,
    }
}

message! {
    /// `xds.type.matcher.v3.CelMatcher`.
    CelMatcher, "xds.type.matcher.v3", "CelMatcher" {
        /// The expression.
        #[prost(message, optional, tag = "1")]
        expr_match: Option<CelExpression>,
        /// What it is for.
        #[prost(string, tag = "2")]
        description: String,
    }
}

message! {
    /// `xds.type.matcher.v3.HttpAttributesCelMatchInput`.
    HttpAttributesCelMatchInput, "xds.type.matcher.v3", "HttpAttributesCelMatchInput" {}
}

/// Declares a range of numbers, and the matcher of it with its inner message.
macro_rules! range {
    ($range:ident, $range_name:literal, $kind:ident, $number:ty,
     $matcher:ident, $matcher_name:literal, $inner:ident, $inner_name:literal) => {
        message! {
            /// A range of numbers of `xds.type.v3`, without its end.
            $range, "xds.type.v3", $range_name {
                /// The least number.
                #[prost($kind, tag = "1")]
                start: $number,
                /// What all numbers are below.
                #[prost($kind, tag = "2")]
                end: $number,
            }
        }

        message! {
            /// A matcher of numbers of `xds.type.matcher.v3`.
            $matcher, "xds.type.matcher.v3", $matcher_name {
                /// What each set of ranges leads to.
                #[prost(message, repeated, tag = "1")]
                range_matchers: Vec<$inner>,
            }
        }

        message! {
            /// A set of ranges, and what it leads to.
            $inner, "xds.type.matcher.v3", $inner_name {
                /// The ranges.
                #[prost(message, repeated, tag = "1")]
                ranges: Vec<$range>,
                /// What a number in them leads to.
                #[prost(message, optional, tag = "2")]
                on_match: Option<OnMatch>,
            }
        }
    };
}

range!(
    DoubleRange,
    "DoubleRange",
    double,
    f64,
    DoubleRangeMatcher,
    "DoubleRangeMatcher",
    DoubleRanges,
    "DoubleRangeMatcher.RangeMatcher"
);
range!(
    Int32Range,
    "Int32Range",
    int32,
    i32,
    Int32RangeMatcher,
    "Int32RangeMatcher",
    Int32Ranges,
    "Int32RangeMatcher.RangeMatcher"
);
range!(
    Int64Range,
    "Int64Range",
    int64,
    i64,
    Int64RangeMatcher,
    "Int64RangeMatcher",
    Int64Ranges,
    "Int64RangeMatcher.RangeMatcher"
);
