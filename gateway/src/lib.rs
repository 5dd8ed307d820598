//! The gateway of Đúng Hẹn: the engine's services over gRPC, and what the command line is made of.

pub mod import;
pub mod json;
mod language;
pub mod messages;
pub mod pb;
mod publish;
pub mod report;
pub mod rules;
pub mod serve;
pub mod services;
pub mod source;
pub mod status;
mod streams;
pub mod tracking;
pub mod wire;
