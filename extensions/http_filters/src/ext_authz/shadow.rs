//! What would have become of a request, as filter state (`shadow_mode`): for filters behind this
//! one and for logs.

use super::filter::ExtAuthzFilter;
use super::verdict::Fields;
use super::wire;
use nuncio_base::metadata::Value;
use nuncio_http::{Cx, LocalReply};
use nuncio_stream_info::ResponseFlag;
use nuncio_stream_info::filter_state::{FilterStateObject, LifeSpan};
use std::any::Any;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// A service's decision (`ShadowDecision.CheckResult`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CheckResult {
    Ok,
    Denied,
    Error,
}

impl CheckResult {
    /// As the API calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Denied => "DENIED",
            Self::Error => "ERROR",
        }
    }
}

/// A decision that nobody has carried out.
#[derive(Debug)]
pub(super) struct ShadowDecision {
    pub result: CheckResult,
    pub status: u16,
    /// Those of a denial, without what frames it.
    pub headers: Fields,
}

impl ExtAuthzFilter {
    /// Ends a request with `reply`, or notes that it would have been ended.
    pub(super) fn refuse(&self, cx: &mut Cx<'_>, reply: LocalReply, result: CheckResult) {
        if !self.local.spec.shadow {
            return cx.local_reply(reply);
        }
        self.note_refusal(cx, reply, result);
        cx.resume_request();
    }

    /// Notes that a request would have been ended with `reply`.
    pub(super) fn note_refusal(&self, cx: &mut Cx<'_>, reply: LocalReply, result: CheckResult) {
        let stats = &self.local.stats;
        match result {
            CheckResult::Error => stats.shadow_error().inc(),
            CheckResult::Ok | CheckResult::Denied => stats.shadow_denied().inc(),
        }
        let decision = ShadowDecision {
            result,
            status: reply.status,
            headers: reply.headers,
        };
        note(cx, decision);
    }

    /// Notes that a request may pass.
    pub(super) fn note_consent(&self, cx: &mut Cx<'_>) {
        if self.local.spec.shadow {
            let decision = ShadowDecision {
                result: CheckResult::Ok,
                status: 200,
                headers: Fields::new(),
            };
            note(cx, decision);
        }
    }

    /// What becomes of a request that is not checked, and therefore not let in: as in Envoy its
    /// flag is set all the same.
    pub(super) fn note_unchecked(&self, cx: &mut Cx<'_>, reply: LocalReply) {
        cx.info()
            .set_flag(ResponseFlag::UnauthorizedExternalService);
        self.note_refusal(cx, reply, CheckResult::Denied);
    }
}

fn note(cx: &mut Cx<'_>, decision: ShadowDecision) {
    let key = format!("{}.shadow", cx.filter_name());
    let state = &mut cx.info().filter_state;
    state.set(&key, LifeSpan::Request, Rc::new(decision));
}

impl FilterStateObject for ShadowDecision {
    fn as_text(&self) -> Option<String> {
        Some(wire::shadow_text(self))
    }

    fn as_value(&self) -> Option<Value> {
        let structure = |fields| Value::Struct(Arc::new(fields));
        let text = |text: &str| Value::Text(text.into());
        let mut fields = BTreeMap::from([
            ("checkResult".into(), text(self.result.name())),
            ("statusCode".into(), Value::Number(self.status.into())),
        ]);
        let headers = self.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value);
            structure(BTreeMap::from([
                ("key".into(), text(name.as_str())),
                ("value".into(), text(&value)),
            ]))
        });
        if !self.headers.is_empty() {
            fields.insert("responseHeaders".into(), Value::List(headers.collect()));
        }
        Some(structure(fields))
    }

    fn field(&self, name: &str) -> Option<String> {
        match name {
            "check_result" => Some(self.result.name().to_owned()),
            "status_code" => Some(self.status.to_string()),
            _ => None,
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
