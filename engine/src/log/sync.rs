//! Makes sled's commits survive a power cut on Linux.
//!
//! sled 0.34.7 ends a flush with `sync_file_range(2)`, which by its manual page flushes neither the drive's cache nor
//! the metadata of a file that grows. A symbol of the executable takes precedence over the C library's, so the function
//! below takes its place for the whole process and does what an acknowledgement needs: `fdatasync(2)`. It is stricter
//! than what it replaces, so no other caller can lose by it. [`calls`] counts, and opening a log proves with a canary
//! commit that the symbol was linked in; if it was not, the log refuses to open.

#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "takes the place of a C library function; see the comments at each use")]
mod linux {
    use std::sync::atomic::{AtomicU64, Ordering};

    static CALLS: AtomicU64 = AtomicU64::new(0);

    /// # Safety
    /// Same contract as the C library's: any `fd` is allowed, a bad one yields -1 and `errno`. No memory is touched.
    // SAFETY (no_mangle): the name is meant to collide with the C library's weaker definition, and the signature is
    // the one glibc and musl declare (off64_t is i64 on every 64-bit Linux; on 32-bit the parameters are i64, too).
    #[unsafe(no_mangle)]
    pub(super) extern "C" fn sync_file_range(
        fd: libc::c_int,
        _offset: i64,
        _bytes: i64,
        _flags: libc::c_uint,
    ) -> libc::c_int {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: `fdatasync` takes a descriptor by value and reads no memory of ours.
        unsafe { libc::fdatasync(fd) }
    }

    pub(super) fn calls() -> u64 {
        CALLS.load(Ordering::Relaxed)
    }

    /// Lets the kernel forget what it holds in memory of a file. It keeps what it could not write, unless that failed.
    pub(super) fn forget(file: &std::fs::File) -> std::io::Result<()> {
        use std::os::fd::AsRawFd;
        // SAFETY: takes a descriptor by value, which `file` keeps open, and reads no memory of ours.
        match unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) } {
            0 => Ok(()),
            code => Err(std::io::Error::from_raw_os_error(code)),
        }
    }
}

/// How often a flush was made durable since the process started.
#[cfg(target_os = "linux")]
#[must_use]
pub fn calls() -> u64 {
    linux::calls()
}

/// Elsewhere sled ends a flush with `sync_all`, which is durable as it is; each call counts itself.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn calls() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static CALLS: AtomicU64 = AtomicU64::new(0);
    CALLS.fetch_add(1, Ordering::Relaxed)
}

/// Makes sure that what is read from the files below `path` lies on the disk, after a sync of one of them has failed:
/// the kernel then takes what it could not write for written, and would go on showing it until the power is cut.
///
/// # Errors
/// What the file system says.
pub(super) fn read_from_disk(path: &std::path::Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        if path.is_dir() {
            read_from_disk(&path)?;
            continue;
        }
        let file = std::fs::File::open(&path)?;
        file.sync_all()?;
        #[cfg(target_os = "linux")]
        linux::forget(&file)?;
    }
    Ok(())
}

/// Makes a new or renamed entry of a directory durable.
///
/// # Errors
/// What the file system says.
pub fn sync_directory(path: &std::path::Path) -> std::io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}
