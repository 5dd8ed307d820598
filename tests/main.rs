//! Tests of the whole: the real binary, real sockets, real files. One test binary, a module a subject.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod corrections;
mod crash;
mod due;
mod failing;
mod form;
mod full_disk;
mod golden_directory;
mod grpc;
mod languages;
mod recount;
mod recount_test;
mod refusals;
mod rules;
mod rules_of_the_house;
mod scenario;
mod scenarios_grpc;
mod simulate;
mod streams;
mod support;
mod targets;
mod tracking;
mod wabo;
