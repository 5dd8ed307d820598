//! `allocations`: how often memory is asked for, and how much of it, for one recorded event in process.
//!
//! Counted is what this process allocates, on whatever thread, while `record` is called with a group; the group itself
//! is made before. The counting allocator is that of the whole program, but it counts only while it is told to, so that
//! the other measurements do not pay for it.

use crate::stories::Stories;
use crate::{Failure, Format, disk, local, print, table};
use mimalloc::MiMalloc;
use serde_json::json;
use std::alloc::{GlobalAlloc, Layout};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[derive(clap::Args)]
pub(crate) struct AllocationsArgs {
    /// Groups that are counted.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    groups: u32,
    /// Events a group.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    group: u32,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Where the scratch directory goes; on a real disk [default: beside the executable].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[global_allocator]
static COUNTED: Counted = Counted;
static ON: AtomicBool = AtomicBool::new(false);
static TIMES: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, counted.
struct Counted;

fn count(bytes: usize) {
    if ON.load(Ordering::Relaxed) {
        TIMES.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

// SAFETY: each function hands its arguments to the product's allocator unchanged and returns what that returns, so the
// caller's promises and the allocator's are those of `MiMalloc`. Counting touches three atomics and no memory besides: it
// neither allocates nor panics (adding to an atomic wraps).
#[allow(unsafe_code, reason = "an allocator is an unsafe trait; it only hands on to the product's, see above")]
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller promises of `layout` what `MiMalloc` asks.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller promises of `layout` what `MiMalloc` asks.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // What grows is asked for anew; what was there may be kept or copied.
        count(size.saturating_sub(layout.size()));
        // SAFETY: the pointer came from `MiMalloc` by this allocator, with this layout, as the caller promises.
        unsafe { MiMalloc.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `MiMalloc` by this allocator, with this layout, as the caller promises.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }
}

/// How often the whole process asked for memory while this ran, and for how many bytes.
fn counted<T>(run: impl FnOnce() -> T) -> (u64, u64, T) {
    let before = (TIMES.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    ON.store(true, Ordering::SeqCst);
    let outcome = run();
    ON.store(false, Ordering::SeqCst);
    (TIMES.load(Ordering::Relaxed) - before.0, BYTES.load(Ordering::Relaxed) - before.1, outcome)
}

/// Counts and prints.
pub(crate) fn run(args: &AllocationsArgs) -> Result<(), Failure> {
    let (scratch, _) = disk::scratch(args.data.as_deref())?;
    let engine = local::open(&scratch.path().join("allocations"))?;
    let mut stories = Stories::new(7, "a".to_owned());
    let group = usize::try_from(args.group)?;
    let (mut times, mut bytes, mut events) = (0, 0, 0_u64);
    // Warm: as many groups as are counted go before, so that what grows once has grown.
    for number in 0..2 * args.groups {
        let commands = local::commands(&mut stories, group);
        let (more, more_bytes, recorded) = counted(|| local::record_group(&engine, commands));
        recorded?;
        if number >= args.groups {
            times += more;
            bytes += more_bytes;
            events += u64::from(args.group);
        }
    }
    engine.close()?;
    let (times, bytes) = (times as f64 / events as f64, bytes as f64 / events as f64);
    match args.format {
        Format::Json => {
            print(&json!({"events": events, "allocations_per_event": times, "bytes_per_event": bytes}).to_string())
        }
        Format::Table => print(&format!(
            "{times:.1} allocations and {bytes:.0} bytes for each of {} events, in groups of {}",
            table::per_second(events as f64),
            args.group,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_counted_and_whole() {
        // Other tests run beside this one, so there may be more.
        let (times, bytes, kept) = counted(|| {
            let mut kept: Vec<Vec<u8>> = (0..100).map(|n| vec![n; 1000]).collect();
            kept.iter_mut().for_each(|v| v.resize(3000, 7));
            kept.push(vec![0; 4096]);
            kept
        });
        assert!(times >= 201 && bytes >= 304_096, "{times} allocations of {bytes} bytes");
        for (n, v) in kept.iter().take(100).enumerate() {
            assert!(v[..1000].iter().all(|b| usize::from(*b) == n) && v[1000..].iter().all(|b| *b == 7));
        }
        assert!(kept[100].iter().all(|b| *b == 0));
    }
}
