//! Refusals as gRPC statuses, with details that programs and people can read.
//!
//! Whoever makes a status here need not know who reads it: it has its texts in all languages, English first, and
//! [`in_lang`] turns it for whoever asked for another. The services answer in English; `language` turns what leaves.

use crate::messages::{self, Lang, Text};
use crate::pb;
use dunghen_engine::Refused;
use dunghen_engine::dossier::{Rejection, Violation, ViolationKind};
use dunghen_engine::log::LogError;
use dunghen_engine::time::Zone;
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{BadRequest, ErrorDetail, ErrorInfo, FieldViolation, LocalizedMessage, RetryInfo, StatusExt};

/// The domain of every reason.
pub const DOMAIN: &str = "dunghen";
/// When a client should try again if the queue is full.
const RETRY_AFTER: Duration = Duration::from_millis(100);

fn localized(text: &Text, lang: Lang) -> LocalizedMessage {
    LocalizedMessage::new(lang.tag(), text.in_lang(lang))
}

/// The texts of a status, that of its message first.
fn texts(text: &Text) -> impl Iterator<Item = ErrorDetail> {
    let others = Lang::ALL.into_iter().filter(|lang| *lang != Lang::FIRST);
    std::iter::once(Lang::FIRST).chain(others).map(|lang| ErrorDetail::LocalizedMessage(localized(text, lang)))
}

fn status(code: Code, reason: &str, text: &Text, more: impl IntoIterator<Item = ErrorDetail>) -> Status {
    let info = ErrorInfo::new(reason, DOMAIN, std::collections::HashMap::new());
    let details = std::iter::once(ErrorDetail::ErrorInfo(info)).chain(texts(text)).chain(more);
    Status::with_error_details_vec(code, text.in_lang(Lang::FIRST), details)
}

/// A field at fault: described in the language of the status, and in the other one beside it.
fn field_violation(field: &str, text: &Text) -> FieldViolation {
    let mut violation = FieldViolation::new(field, text.in_lang(Lang::FIRST));
    violation.localized_message =
        Lang::ALL.into_iter().find(|lang| *lang != Lang::FIRST).map(|lang| localized(text, lang));
    violation
}

fn violation_reason(kind: &ViolationKind) -> &'static str {
    match kind {
        ViolationKind::Missing => "FIELD_MISSING",
        ViolationKind::UnknownType | ViolationKind::NoType => "UNKNOWN_TYPE",
        ViolationKind::Unknown
        | ViolationKind::NotAUuid
        | ViolationKind::NotAnInstant
        | ViolationKind::NotADate
        | ViolationKind::NoSuchDate
        | ViolationKind::BothDues
        | ViolationKind::TooLong(_)
        | ViolationKind::NotPrintable
        | ViolationKind::NotOneOf(_)
        | ViolationKind::NotOfType(_)
        | ViolationKind::TooMany(_)
        | ViolationKind::NotJson(_)
        | ViolationKind::AnnulOrReplace
        | ViolationKind::NoSuchEvent
        | ViolationKind::EngineWrote
        | ViolationKind::NotOfEventType(_)
        | ViolationKind::CorrectionOfCorrection
        | ViolationKind::OtherDossier => "FIELD_INVALID",
    }
}

fn bad_request(violations: &[Violation]) -> ErrorDetail {
    let violations = violations.iter().map(|v| field_violation(&v.field, &messages::violation(v)));
    ErrorDetail::BadRequest(BadRequest::new(violations.collect::<Vec<_>>()))
}

/// The gRPC code of a rejection: contract.md section 2.
fn code(rejection: &Rejection) -> Code {
    match rejection {
        Rejection::Malformed(_) | Rejection::TooLarge { .. } | Rejection::TimeInFuture { .. } => Code::InvalidArgument,
        Rejection::DossierUnknown(_) => Code::NotFound,
        Rejection::DossierExists { .. } | Rejection::EventIdReused { .. } => Code::AlreadyExists,
        Rejection::DossierEnded { .. }
        | Rejection::AlreadyReturned { .. }
        | Rejection::EngineEvent
        | Rejection::VersionMismatch { .. }
        | Rejection::BatchRefused => Code::FailedPrecondition,
    }
}

/// A rejection of a single event.
#[must_use]
pub fn of_rejection(rejection: &Rejection, zone: &Zone) -> Status {
    let violations = match rejection {
        Rejection::Malformed(violations) => Some(bad_request(violations)),
        Rejection::TimeInFuture { .. } => {
            let violation = field_violation("occurred_at", &messages::rejection(rejection, zone));
            Some(ErrorDetail::BadRequest(BadRequest::new(vec![violation])))
        }
        _ => None,
    };
    status(code(rejection), rejection.reason(), &messages::rejection(rejection, zone), violations)
}

/// A rejection of an event in a batch.
#[must_use]
pub fn refusal(rejection: &Rejection, zone: &Zone) -> pb::Refusal {
    let text = messages::rejection(rejection, zone);
    let violations = match rejection {
        Rejection::Malformed(violations) => violations
            .iter()
            .map(|v| {
                let text = messages::violation(v);
                pb::FieldViolation {
                    field: v.field.clone(),
                    reason: violation_reason(&v.kind).to_owned(),
                    message_vi: text.vi,
                    message_en: text.en,
                }
            })
            .collect(),
        Rejection::TimeInFuture { .. } => vec![pb::FieldViolation {
            field: "occurred_at".to_owned(),
            reason: rejection.reason().to_owned(),
            message_vi: text.vi.clone(),
            message_en: text.en.clone(),
        }],
        _ => Vec::new(),
    };
    pb::Refusal { reason: rejection.reason().to_owned(), message_vi: text.vi, message_en: text.en, violations }
}

/// A batch that got no answer to its events.
#[must_use]
pub fn of_refused(refused: &Refused, zone: &Zone) -> Status {
    match refused {
        Refused::Overloaded => {
            let retry = ErrorDetail::RetryInfo(RetryInfo::new(Some(RETRY_AFTER)));
            status(Code::ResourceExhausted, "OVERLOADED", &messages::overloaded(), [retry])
        }
        Refused::TooLarge { size, limit } => {
            of_rejection(&Rejection::TooLarge { size: *size, limit: *limit, unit: "events" }, zone)
        }
        // Rules are refused where they are read, with their line; this is the word of a set that was never read.
        Refused::Unfit { why, .. } => bad_question("rules", &messages::rules::unfit(why)),
        Refused::Unavailable(why) => status(Code::Unavailable, "LOG_UNAVAILABLE", &messages::unavailable(why), []),
    }
}

/// The log cannot be read.
#[must_use]
pub fn of_log(error: &LogError) -> Status {
    match error {
        LogError::Damaged { position, what } => {
            status(Code::DataLoss, "LOG_DAMAGED", &messages::damaged(*position, what), [])
        }
        LogError::Unavailable(why) => status(Code::Unavailable, "LOG_UNAVAILABLE", &messages::unavailable(why), []),
    }
}

/// A question with a field that makes no sense.
#[must_use]
pub fn bad_question(field: &str, what: &Text) -> Status {
    question("FIELD_INVALID", field, what)
}

/// A question without a field that it needs.
#[must_use]
pub fn missing(field: &str, what: &Text) -> Status {
    question("FIELD_MISSING", field, what)
}

fn question(reason: &str, field: &str, what: &Text) -> Status {
    let text = messages::bad_question(field, what);
    let detail = ErrorDetail::BadRequest(BadRequest::new(vec![field_violation(field, what)]));
    status(Code::InvalidArgument, reason, &text, [detail])
}

/// The log did not grow to the position that was asked for.
#[must_use]
pub fn not_yet(wanted: u64, position: u64) -> Status {
    status(Code::FailedPrecondition, "NOT_YET_AT_POSITION", &messages::not_yet(wanted, position), [])
}

/// A defect of this program: says so instead of pretending that the request was at fault. It has no reason, as nobody
/// could act on one.
#[must_use]
pub fn internal(what: &str) -> Status {
    let text = messages::internal(what);
    Status::with_error_details_vec(Code::Internal, text.in_lang(Lang::FIRST), texts(&text))
}

/// The same status with the texts of this language first: its message, its `LocalizedMessage`, the descriptions of its
/// fields. `None` if it does not have them, as one that the transport made, or has them first already.
#[must_use]
pub fn in_lang(status: &Status, lang: Lang) -> Option<Status> {
    let mut details = status.get_error_details_vec();
    let locale = |detail: &ErrorDetail| match detail {
        ErrorDetail::LocalizedMessage(message) => Some(message.locale.clone()),
        _ => None,
    };
    let first = details.iter().position(|detail| locale(detail).is_some())?;
    let wanted = details.iter().position(|detail| locale(detail).is_some_and(|l| l == lang.tag()))?;
    if wanted == first {
        return None;
    }
    let before = details.get(first).and_then(locale)?;
    details.swap(first, wanted);
    let message = match details.get(first) {
        Some(ErrorDetail::LocalizedMessage(message)) => message.message.clone(),
        _ => return None,
    };
    for detail in &mut details {
        let ErrorDetail::BadRequest(bad) = detail else { continue };
        for violation in &mut bad.field_violations {
            if let Some(other) = violation.localized_message.as_mut().filter(|m| m.locale == lang.tag()) {
                std::mem::swap(&mut violation.description, &mut other.message);
                other.locale.clone_from(&before);
            }
        }
    }
    Some(Status::with_error_details_vec(status.code(), message, details))
}

/// Reason and text of a status; a text that has one language only stands for both.
#[must_use]
pub fn read(status: &Status) -> (String, Text) {
    let said = || status.message().to_owned();
    let (mut reason, mut vi, mut en) = (None, None, None);
    for detail in status.get_error_details_vec() {
        match detail {
            ErrorDetail::ErrorInfo(info) => reason = Some(info.reason),
            ErrorDetail::LocalizedMessage(message) if message.locale == "vi" => vi = Some(message.message),
            ErrorDetail::LocalizedMessage(message) if message.locale == "en" => en = Some(message.message),
            _ => {}
        }
    }
    let reason = reason.unwrap_or_else(|| format!("{:?}", status.code()));
    (reason, Text::from_elsewhere(vi.unwrap_or_else(said), en.unwrap_or_else(said)))
}
