//! Secrets by name: those of the bootstrap (`static_resources.secrets`), and those over SDS.

use crate::sds::SecretProvider;
use nuncio_extension::{ParseCx, Parsed, ServerEnv};
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3 as proto;
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3::secret::Type;
use nuncio_xds::ConfigSource;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

/// A kind of secret: names are told apart by kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SecretKind {
    /// A certificate of our own with its key.
    TlsCertificate,
    /// What peers' certificates are held against.
    ValidationContext,
    /// What session tickets are sealed with.
    SessionTicketKeys,
    /// Anything else.
    Generic,
}

impl SecretKind {
    /// The kind of a secret.
    pub fn of(secret: &Type) -> Self {
        match secret {
            Type::TlsCertificate(_) => Self::TlsCertificate,
            Type::ValidationContext(_) => Self::ValidationContext,
            Type::SessionTicketKeys(_) => Self::SessionTicketKeys,
            Type::GenericSecret(_) => Self::Generic,
        }
    }

    /// As errors name a second secret of the same name.
    fn type_name(self) -> &'static str {
        match self {
            Self::TlsCertificate => "TlsCertificate",
            Self::ValidationContext => "CertificateValidationContext",
            Self::SessionTicketKeys => "TlsSessionTicketKeys",
            Self::Generic => "GenericSecret",
        }
    }

    /// As errors name who asks for one.
    pub(crate) fn api_name(self) -> &'static str {
        match self {
            Self::TlsCertificate => "TlsCertificateSdsApi",
            Self::ValidationContext => "CertificateValidationContextSdsApi",
            Self::SessionTicketKeys => "TlsSessionTicketKeysSdsApi",
            Self::Generic => "GenericSecretSdsApi",
        }
    }

    /// As errors name one that is not there.
    fn unknown(self) -> &'static str {
        match self {
            Self::TlsCertificate => "Unknown static secret",
            Self::ValidationContext => "Unknown static certificate validation context",
            Self::SessionTicketKeys => "Unknown tls session ticket keys",
            Self::Generic => "Unknown static generic secret",
        }
    }
}

/// All secrets that have names; one for the process, on main.
#[derive(Default)]
pub struct SecretManager {
    by_name: RefCell<BTreeMap<(SecretKind, String), Type>>,
    providers: RefCell<Vec<Weak<SecretProvider>>>,
}

impl SecretManager {
    /// The process's secrets.
    pub fn of(env: &ServerEnv) -> Rc<Self> {
        env.shared(Self::default)
    }

    /// Makes the bootstrap's secrets known. They are checked where they are used.
    ///
    /// # Errors
    /// Two secrets of a kind and name; a secret that has no kind.
    pub fn add_static(&self, cx: &mut ParseCx, secrets: &[proto::Secret]) -> Parsed<()> {
        let added = cx.list("secrets", secrets, |cx, secret| {
            let Some(value) = secret.r#type.clone() else {
                return Err(cx.error("Secret type not implemented"));
            };
            let (kind, name) = (SecretKind::of(&value), secret.name.clone());
            let mut known = self.by_name.borrow_mut();
            if known.insert((kind, name.clone()), value).is_some() {
                let kind = kind.type_name();
                return Err(cx.error(format!("Duplicate static {kind} secret name {name}")));
            }
            Ok(())
        });
        added.map(drop)
    }

    /// The static secrets, for `config_dump`.
    pub fn static_secrets(&self) -> Vec<proto::Secret> {
        let known = self.by_name.borrow();
        let secrets = known.iter().map(|((_, name), value)| proto::Secret {
            name: name.clone(),
            r#type: Some(value.clone()),
        });
        secrets.collect()
    }

    /// The providers of secrets over SDS, for `config_dump`.
    pub fn providers(&self) -> Vec<Rc<SecretProvider>> {
        let providers = self.providers.borrow();
        providers.iter().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn provider(
        &self,
        kind: SecretKind,
        name: &str,
        source: &ConfigSource,
    ) -> Option<Rc<SecretProvider>> {
        let mut all = self.providers().into_iter();
        all.find(|provider| provider.is(kind, name, source))
    }

    pub(crate) fn add_provider(&self, provider: &Rc<SecretProvider>) {
        let mut providers = self.providers.borrow_mut();
        providers.retain(|known| known.strong_count() > 0);
        providers.push(Rc::downgrade(provider));
    }

    /// A secret of the bootstrap.
    pub fn find(&self, kind: SecretKind, name: &str) -> Option<Type> {
        let known = self.by_name.borrow();
        known.get(&(kind, name.to_owned())).cloned()
    }
}

/// What a secret of one kind is.
pub trait SecretValue: Sized {
    /// The kind.
    const KIND: SecretKind;
    /// Taken out of a secret, if it is of the kind.
    fn from_type(secret: Type) -> Option<Self>;
}

macro_rules! secret_values {
    ($($variant:ident, $proto:ident => $kind:ident;)*) => {$(
        impl SecretValue for proto::$proto {
            const KIND: SecretKind = SecretKind::$kind;

            fn from_type(secret: Type) -> Option<Self> {
                match secret {
                    Type::$variant(value) => Some(value),
                    _ => None,
                }
            }
        }
    )*};
}

secret_values! {
    TlsCertificate, TlsCertificate => TlsCertificate;
    ValidationContext, CertificateValidationContext => ValidationContext;
    SessionTicketKeys, TlsSessionTicketKeys => SessionTicketKeys;
    GenericSecret, GenericSecret => Generic;
}

/// The secret that `config` names. Over SDS it must have been delivered.
///
/// # Errors
/// An unknown name; a secret that has not come.
pub fn named_secret<T: SecretValue>(
    cx: &mut ParseCx,
    config: &proto::SdsSecretConfig,
) -> Parsed<T> {
    if config.sds_config.is_some() {
        let provider = SecretProvider::of(cx, T::KIND, config)?;
        let delivered = provider.delivered().and_then(|it| it.secret.r#type);
        let value = delivered.and_then(T::from_type);
        return value.ok_or_else(|| cx.error("Secret is not supplied by SDS"));
    }
    let secret = SecretManager::of(cx.env()).find(T::KIND, &config.name);
    let value = secret.and_then(T::from_type);
    value.ok_or_else(|| cx.error(format!("{}: {}", T::KIND.unknown(), config.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::convert;
    use nuncio_proto::envoy::config::bootstrap::v3::bootstrap::StaticResources;

    fn add<T: SecretValue>(yaml: &str) -> Result<T, String> {
        convert(yaml, |cx, proto: StaticResources| {
            SecretManager::of(cx.env()).add_static(cx, &proto.secrets)?;
            let config = proto::SdsSecretConfig {
                name: "a".to_owned(),
                ..Default::default()
            };
            named_secret(cx, &config)
        })
    }

    #[test]
    fn secrets_are_found_by_kind_and_name() {
        let two = "secrets: [{name: a, generic_secret: {}}, {name: a, validation_context: {}}]";
        assert!(add::<proto::GenericSecret>(two).is_ok());
        assert!(add::<proto::CertificateValidationContext>(two).is_ok());
        let error = add::<proto::TlsCertificate>(two).unwrap_err();
        assert!(error.contains("Unknown static secret: a"), "{error}");
        let twice = "secrets: [{name: a, generic_secret: {}}, {name: a, generic_secret: {}}]";
        let error = add::<proto::GenericSecret>(twice).unwrap_err();
        let expected = "Duplicate static GenericSecret secret name a";
        assert!(error.contains(expected), "{error}");
        let error = add::<proto::GenericSecret>("secrets: [{name: a}]").unwrap_err();
        assert!(error.contains("Secret type not implemented"), "{error}");
    }
}
