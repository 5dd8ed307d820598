//! Work on many parts, divided among the cores: the result is what one core would have come to.
//!
//! Such work is long, and whoever records events beside it should not wait for it. So work that is worth threads is done by
//! threads of low priority, which the system lets run when nobody else wants the core, and now and then when somebody does.

use std::panic::resume_unwind;

/// How many cores there are.
fn count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How much a thread gives way: the weight of one with this nice value is a tenth of that of others.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Lowers the priority of this thread, for good.
pub(crate) fn give_way() {
    // On Linux a nice value is that of a thread. Where it cannot be set, the work is as urgent as any other.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}

/// Folds parts into one value for each core and merges those, in the order of the parts. No core gets fewer than `least`.
/// A panic in one of them is that of the caller.
pub(crate) fn fold<P: Sync, T: Send>(
    parts: &[P],
    least: usize,
    make: impl Fn() -> T + Sync,
    each: impl Fn(&mut T, &P) + Sync,
    mut merge: impl FnMut(&mut T, T),
) -> T {
    let fold = &|some: &[P]| {
        let mut value = make();
        some.iter().for_each(|part| each(&mut value, part));
        value
    };
    let threads = count().min(parts.len() / least.max(1)).max(1);
    if threads == 1 {
        return fold(parts);
    }
    std::thread::scope(|scope| {
        let work = |some| {
            give_way();
            fold(some)
        };
        let running: Vec<_> =
            parts.chunks(parts.len().div_ceil(threads)).map(|some| scope.spawn(move || work(some))).collect();
        let done = running.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        done.reduce(|mut value, part| {
            merge(&mut value, part);
            value
        })
    })
    .unwrap_or_else(make)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_folded_once_and_in_order() {
        for length in [0, 1, 2, 7, 64, 1000] {
            let parts: Vec<usize> = (0..length).collect();
            let all =
                fold(&parts, 1, Vec::new, |seen, part| seen.push(*part), |all, more: Vec<usize>| all.extend(more));
            assert_eq!(all, parts);
        }
    }

    #[test]
    #[should_panic(expected = "the last part")]
    fn a_panic_is_passed_on() {
        let parts: Vec<usize> = (0..100).collect();
        fold(&parts, 1, || (), |(), part| assert!(*part < 99, "the last part"), |(), ()| ());
    }
}
