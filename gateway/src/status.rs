//! Refusals as gRPC statuses, with details that programs and people can read.

use crate::messages::{self, Text};
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

fn status(code: Code, reason: &str, text: &Text, more: impl IntoIterator<Item = ErrorDetail>) -> Status {
    let mut details = vec![
        ErrorDetail::ErrorInfo(ErrorInfo::new(reason, DOMAIN, std::collections::HashMap::new())),
        ErrorDetail::LocalizedMessage(LocalizedMessage::new("vi", &text.vi)),
        ErrorDetail::LocalizedMessage(LocalizedMessage::new("en", &text.en)),
    ];
    details.extend(more);
    Status::with_error_details_vec(code, text.en.clone(), details)
}

fn violation_reason(kind: &ViolationKind) -> &'static str {
    match kind {
        ViolationKind::Missing => "FIELD_MISSING",
        ViolationKind::UnknownType => "UNKNOWN_TYPE",
        ViolationKind::Unknown
        | ViolationKind::NotAUuid
        | ViolationKind::NotAnInstant
        | ViolationKind::NotADate
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
    let violations = violations.iter().map(|v| FieldViolation::new(&v.field, messages::violation(v).en));
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
            let text = messages::rejection(rejection, zone).en;
            Some(ErrorDetail::BadRequest(BadRequest::new(vec![FieldViolation::new("occurred_at", text)])))
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
        Refused::Unfit { why, .. } => bad_question("rules", &why.to_string(), &why.to_string()),
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
pub fn bad_question(field: &str, vi: &str, en: &str) -> Status {
    let text = messages::bad_question(field, vi, en);
    let detail = ErrorDetail::BadRequest(BadRequest::new(vec![FieldViolation::new(field, en)]));
    status(Code::InvalidArgument, "FIELD_INVALID", &text, [detail])
}

/// The log did not grow to the position that was asked for.
#[must_use]
pub fn not_yet(wanted: u64, position: u64) -> Status {
    status(Code::FailedPrecondition, "NOT_YET_AT_POSITION", &messages::not_yet(wanted, position), [])
}

/// A defect of this program: says so instead of pretending that the request was at fault.
#[must_use]
pub fn internal(what: &str) -> Status {
    Status::internal(format!("a defect of the server: {what}"))
}

/// Reason and text of a status, as a client shows it in a language.
#[must_use]
pub fn read(status: &Status, lang: messages::Lang) -> (String, String) {
    let wanted = match lang {
        messages::Lang::Vi => "vi",
        messages::Lang::En => "en",
    };
    let (mut reason, mut text) = (None, None);
    for detail in status.get_error_details_vec() {
        match detail {
            ErrorDetail::ErrorInfo(info) => reason = Some(info.reason),
            ErrorDetail::LocalizedMessage(message) if message.locale == wanted => text = Some(message.message),
            _ => {}
        }
    }
    let reason = reason.unwrap_or_else(|| format!("{:?}", status.code()));
    (reason, text.unwrap_or_else(|| status.message().to_owned()))
}
