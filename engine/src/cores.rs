//! Work on many parts, divided among the cores: the result is what one core would have come to.

/// How many cores there are.
fn count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
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
    let fold = |some: &[P]| {
        let mut value = make();
        some.iter().for_each(|part| each(&mut value, part));
        value
    };
    let threads = count().min(parts.len() / least.max(1)).max(1);
    if threads == 1 {
        return fold(parts);
    }
    let (mine, others) = parts.split_at(parts.len() / threads);
    std::thread::scope(|scope| {
        let size = others.len().div_ceil(threads - 1);
        let running: Vec<_> = others.chunks(size).map(|some| scope.spawn(|| fold(some))).collect();
        let mut value = fold(mine);
        for thread in running {
            match thread.join() {
                Ok(part) => merge(&mut value, part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        value
    })
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
