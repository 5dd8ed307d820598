//! What `proto/dunghen/v1` generates, and its descriptors.

#![allow(missing_docs, clippy::all, reason = "generated")]

tonic::include_proto!("dunghen.v1");

/// The schemas with their comments, as reflection serves them.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/dunghen.v1.bin"));
