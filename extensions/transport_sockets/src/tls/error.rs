//! TLS errors in the words of BoringSSL, which Envoy's logs and details print.

use super::validation::VerifyError;
use nuncio_codec::client_hello::FirstFlightError;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};
use std::fmt;

/// `ERR_LIB_SSL`, where BoringSSL packs the library into an error.
const LIBRARY: u32 = 16 << 24;

/// BoringSSL's numbers of what fails most.
const REASONS: [(u32, &str); 13] = [
    (123, "BAD_SIGNATURE"),
    (125, "CERTIFICATE_VERIFY_FAILED"),
    (137, "DECODE_ERROR"),
    (139, "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"),
    (158, "INVALID_ALPN_PROTOCOL"),
    (184, "NO_SHARED_CIPHER"),
    (192, "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
    (223, "UNEXPECTED_MESSAGE"),
    (240, "UNSUPPORTED_PROTOCOL"),
    (243, "WRONG_CURVE"),
    (247, "WRONG_VERSION_NUMBER"),
    (253, "NO_COMMON_SIGNATURE_ALGORITHMS"),
    (266, "NO_SHARED_GROUP"),
];

/// A host is to be asked for a name that is longer than SNI's may be.
#[derive(Debug)]
pub struct NameTooLong;

impl std::error::Error for NameTooLong {}

impl fmt::Display for NameTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "Failed to create upstream TLS due to failure setting SNI: \
             error:100000d5:SSL routines:OPENSSL_internal:SSL3_EXT_INVALID_SERVERNAME",
        )
    }
}

/// No certificate may be shown to a client (the selection of one failed, as BoringSSL sees it).
#[derive(Debug)]
pub struct ConnectionRejected;

impl ConnectionRejected {
    const NUMBER: u32 = 133;
    const NAME: &str = "CONNECTION_REJECTED";
    /// `handshake_failure`
    const ALERT: [u8; 7] = [21, 3, 1, 0, 2, 2, 40];
}

impl std::error::Error for ConnectionRejected {}

impl fmt::Display for ConnectionRejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAME)
    }
}

/// What Envoy says of a failure (`%DOWNSTREAM_TRANSPORT_FAILURE_REASON%` and its upstream sibling).
pub fn transport_failure(error: &Error) -> String {
    if let Error::AlertReceived(alert) = error {
        let reason = 1000 + u32::from(u8::from(*alert));
        return text(reason, alert_name(*alert), None);
    }
    if let Error::Other(other) = error
        && let Some(too_long) = other.0.downcast_ref::<NameTooLong>()
    {
        return too_long.to_string();
    }
    if let Error::Other(other) = error
        && let Some(first) = other.0.downcast_ref::<FirstFlightError>()
    {
        return text(first.number(), first.reason(), None);
    }
    if let Error::Other(other) = error
        && other.0.is::<ConnectionRejected>()
    {
        return text(ConnectionRejected::NUMBER, ConnectionRejected::NAME, None);
    }
    let name = reason(error);
    let mut numbers = REASONS.iter();
    let number = numbers.find(|(_, known)| *known == name);
    let detail = match error {
        Error::NoCertificatesPresented => {
            Some("peer did not provide required client certificate".to_owned())
        }
        Error::InvalidCertificate(CertificateError::Other(other)) => other
            .0
            .downcast_ref::<VerifyError>()
            .map(ToString::to_string)
            .filter(|text| !text.is_empty()),
        Error::InvalidCertificate(other) => Some(format!("verify cert failed: {other}")),
        _ => None,
    };
    text(
        number.map_or(0, |(number, _)| *number),
        name,
        detail.as_deref(),
    )
}

/// The alert record for a client with whom no handshake is begun, if it is told.
pub fn first_flight_alert(error: &Error) -> Option<[u8; 7]> {
    match error {
        Error::Other(other) if other.0.is::<ConnectionRejected>() => {
            Some(ConnectionRejected::ALERT)
        }
        Error::Other(other) => other.0.downcast_ref::<FirstFlightError>()?.alert(),
        _ => None,
    }
}

fn text(reason: u32, name: &str, detail: Option<&str>) -> String {
    let (code, colon) = (LIBRARY + reason, if detail.is_some() { ":" } else { "" });
    let detail = detail.unwrap_or_default();
    format!("TLS_error:|{code}:SSL routines:OPENSSL_internal:{name}{colon}{detail}:TLS_error_end")
}

fn reason(error: &Error) -> &'static str {
    match error {
        Error::InvalidCertificate(CertificateError::BadSignature) => "BAD_SIGNATURE",
        Error::InvalidCertificate(_) => "CERTIFICATE_VERIFY_FAILED",
        Error::NoCertificatesPresented => "PEER_DID_NOT_RETURN_A_CERTIFICATE",
        Error::PeerIncompatible(why) => incompatible(why),
        Error::DecryptError => "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "UNEXPECTED_MESSAGE"
        }
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge,
        ) => "WRONG_VERSION_NUMBER",
        Error::InvalidMessage(_) => "DECODE_ERROR",
        Error::NoApplicationProtocol => "INVALID_ALPN_PROTOCOL",
        _ => "INTERNAL_ERROR",
    }
}

fn incompatible(why: &PeerIncompatible) -> &'static str {
    match why {
        PeerIncompatible::NoCipherSuitesInCommon => "NO_SHARED_CIPHER",
        PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NoEcPointFormatsInCommon => {
            "NO_SHARED_GROUP"
        }
        PeerIncompatible::NamedGroupsExtensionRequired => "WRONG_CURVE",
        PeerIncompatible::NoSignatureSchemesInCommon
        | PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon => {
            "NO_COMMON_SIGNATURE_ALGORITHMS"
        }
        _ => "UNSUPPORTED_PROTOCOL",
    }
}

fn alert_name(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::UnexpectedMessage => "SSLV3_ALERT_UNEXPECTED_MESSAGE",
        AlertDescription::BadRecordMac => "SSLV3_ALERT_BAD_RECORD_MAC",
        AlertDescription::HandshakeFailure => "SSLV3_ALERT_HANDSHAKE_FAILURE",
        AlertDescription::BadCertificate => "SSLV3_ALERT_BAD_CERTIFICATE",
        AlertDescription::UnsupportedCertificate => "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        AlertDescription::CertificateRevoked => "SSLV3_ALERT_CERTIFICATE_REVOKED",
        AlertDescription::CertificateExpired => "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        AlertDescription::CertificateUnknown => "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        AlertDescription::IllegalParameter => "SSLV3_ALERT_ILLEGAL_PARAMETER",
        AlertDescription::UnknownCA => "TLSV1_ALERT_UNKNOWN_CA",
        AlertDescription::AccessDenied => "TLSV1_ALERT_ACCESS_DENIED",
        AlertDescription::DecodeError => "TLSV1_ALERT_DECODE_ERROR",
        AlertDescription::DecryptError => "TLSV1_ALERT_DECRYPT_ERROR",
        AlertDescription::ProtocolVersion => "TLSV1_ALERT_PROTOCOL_VERSION",
        AlertDescription::InsufficientSecurity => "TLSV1_ALERT_INSUFFICIENT_SECURITY",
        AlertDescription::InternalError => "TLSV1_ALERT_INTERNAL_ERROR",
        AlertDescription::UserCanceled => "TLSV1_ALERT_USER_CANCELLED",
        AlertDescription::UnrecognisedName => "TLSV1_ALERT_UNRECOGNIZED_NAME",
        AlertDescription::CertificateRequired => "TLSV1_ALERT_CERTIFICATE_REQUIRED",
        AlertDescription::NoApplicationProtocol => "TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
        _ => "UNKNOWN_ALERT_TYPE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_worded_as_boringssl_does() {
        let cases = [
            (
                Error::AlertReceived(AlertDescription::UnknownCA),
                "TLS_error:|268436504:SSL routines:OPENSSL_internal:TLSV1_ALERT_UNKNOWN_CA:\
                 TLS_error_end",
            ),
            (
                Error::NoCertificatesPresented,
                "TLS_error:|268435648:SSL routines:OPENSSL_internal:\
                 PEER_DID_NOT_RETURN_A_CERTIFICATE:peer did not provide required client \
                 certificate:TLS_error_end",
            ),
            (
                Error::InvalidMessage(InvalidMessage::InvalidContentType),
                "TLS_error:|268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:\
                 TLS_error_end",
            ),
            (
                Error::PeerIncompatible(PeerIncompatible::Tls12NotOfferedOrEnabled),
                "TLS_error:|268435696:SSL routines:OPENSSL_internal:UNSUPPORTED_PROTOCOL:\
                 TLS_error_end",
            ),
        ];
        for (error, expected) in cases {
            assert_eq!(transport_failure(&error), expected);
        }
    }
}
