//! The disk is taken away: power cuts at any moment, no space, errors and stalls, under the real engine and real sled.
//!
//! [`calls`] stands between this test executable and the kernel, [`disk`] notes what goes through and can be told to
//! fail, [`platter`] says what a disk may hold after a power cut. The subjects are [`power`] and [`faults`].

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod calls;
#[path = "../common/mod.rs"]
mod common;
mod disk;
mod faults;
mod load;
mod platter;
mod power;
