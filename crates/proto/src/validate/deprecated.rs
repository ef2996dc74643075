//! Deprecated fields and enum values: they load with a warning, some are refused by default.

use crate::error::{ErrorKind, Warning, WarningKind};
use crate::reflect::{FieldRef, MessageRef};
use crate::validate::Walk;
use crate::wire::Value;

/// Where Envoy's documentation says more of deprecations.
const DEPRECATION_DOCS: &str = "Please see \
    https://www.envoyproxy.io/docs/envoy/latest/version_history/version_history for details. If \
    continued use of this field is absolutely necessary, see \
    https://www.envoyproxy.io/docs/envoy/latest/configuration/operations/runtime\
    #using-runtime-overrides-for-deprecated-features for how to apply a temporary and highly \
    discouraged override.";

impl Walk {
    pub(super) fn deprecated(&mut self, message: MessageRef, field: FieldRef) {
        let fatal = field.is_disallowed() && !self.checks.allow_deprecated;
        let using = match field.is_disallowed() && !fatal {
            true => {
                "Using runtime overrides to continue using now fatal-by-default deprecated option"
            }
            false => "Using deprecated option",
        };
        let name = message.name();
        let text = format!(
            "{using} '{name}.{}' from file {}. This configuration will be removed from Envoy soon.",
            field.name(),
            base_name(message.file())
        );
        self.deprecation(message, &text, fatal);
    }

    fn deprecation(&mut self, message: MessageRef, text: &str, fatal: bool) {
        let text = format!("type {} {text} {DEPRECATION_DOCS}", message.name());
        if fatal {
            self.error(ErrorKind::Deprecated, text);
            return;
        }
        let message = format!("Deprecated field: {text}");
        let (path, kind) = (self.path.clone(), WarningKind::Deprecated);
        self.found.warnings.push(Warning {
            kind,
            path,
            location: None,
            message,
        });
    }

    /// A deprecated value of an enum, also where it is the default of a field that is not set.
    pub(super) fn deprecated_value(
        &mut self,
        message: MessageRef,
        field: FieldRef,
        value: Option<Value<'_>>,
    ) {
        let number = value.and_then(Value::varint).unwrap_or_default() as i32;
        let known = field.enumeration().and_then(|known| known.value(number));
        let Some(known) = known.filter(|known| known.is_deprecated()) else {
            return;
        };
        let default = number == 0;
        let using = if default {
            "the default now-deprecated value"
        } else {
            "deprecated value"
        };
        let advice = if default {
            " so a non-default value must now be explicitly set"
        } else {
            ""
        };
        let text = format!(
            "Using {using} {} for enum '{}.{}' from file {}. This enum value will be removed from \
             Envoy soon{advice}.",
            known.name(),
            message.name(),
            field.name(),
            base_name(message.file())
        );
        // A refused default would refuse every message without the field: Envoy only warns.
        let fatal = known.is_disallowed() && !default && !self.checks.allow_deprecated;
        self.deprecation(message, &text, fatal);
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
