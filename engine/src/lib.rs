//! The engine of Đúng Hẹn: rules, log and figures of dossier tracking, without any network or async runtime.
//!
//! One way in: a [`dossier::Command`] is decided against its dossier, its events are appended to the [`log`], durably,
//! and folded into the [`views`]. Every number that anyone sees is a fold over the log. [`Engine`] runs it all.

pub mod bulk;
pub mod calendar;
mod clock;
mod cores;
pub mod directory;
pub mod dossier;
mod engine;
pub mod log;
mod quiet;
pub mod record;
pub mod rules;
pub mod time;
mod verify;
pub mod views;

pub use clock::{Clock, SystemClock};
pub use engine::{
    BATCH_EVENTS, Batch, Detail, Engine, Health, MarginsState, Mode, OpenError, Options, PromiseDetail, Published,
    Purpose, Receipt, Refused, ReplayFilter, RuleSet, Turn,
};
pub use verify::{Verified, verify};
