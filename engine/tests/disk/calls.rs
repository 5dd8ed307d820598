//! The C library's calls on files, put in place for this test executable: each asks the [`Disk`] under whose root the
//! file lies, and goes to the kernel otherwise. Knows nothing of what is written.
//!
//! A symbol of the executable takes precedence over the C library's, as in `engine/src/log/sync.rs`. That all of them
//! are really linked in is proved by a test of `power`: a trace in which one kind of call is missing fails.

#![allow(unsafe_code, reason = "takes the place of C library functions; see the comments at each use")]

use super::disk::{self, Disk};
use libc::{c_char, c_int, c_long, c_void, mode_t, off64_t, size_t, ssize_t};
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What a call answers, before it becomes -1 and `errno`.
pub(crate) type Answer<T> = Result<T, c_int>;

/// The path that `text` names.
///
/// # Safety
/// `text` is a C string, as every caller of the C library's function promises.
unsafe fn path<'a>(text: *const c_char) -> &'a Path {
    // SAFETY: see above.
    Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(text) }.to_bytes()))
}

/// The bytes that are to be written.
///
/// # Safety
/// `count` bytes can be read at `bytes`, as every caller of the C library's function promises.
unsafe fn buffer<'a>(bytes: *const c_void, count: size_t) -> &'a [u8] {
    if count == 0 {
        return &[];
    }
    // SAFETY: see above.
    unsafe { std::slice::from_raw_parts(bytes.cast(), count) }
}

fn told<T: From<i8>>(answer: Answer<T>) -> T {
    answer.unwrap_or_else(|code| {
        // SAFETY: the C library's own place of `errno` for this thread.
        unsafe { *libc::__errno_location() = code };
        T::from(-1)
    })
}

fn answered(result: c_long) -> Answer<c_long> {
    if result >= 0 {
        return Ok(result);
    }
    // SAFETY: as in `told`.
    Err(unsafe { *libc::__errno_location() })
}

/// The calls as the kernel does them. `syscall` is the C library's, which none of the functions below replaces.
pub(crate) mod kernel {
    use super::*;

    pub(crate) fn pwrite(fd: c_int, bytes: &[u8], offset: off64_t) -> Answer<ssize_t> {
        // SAFETY: pointer and length are those of a slice.
        answered(unsafe { libc::syscall(libc::SYS_pwrite64, fd, bytes.as_ptr(), bytes.len(), offset) })
            .map(|n| n as ssize_t)
    }

    pub(crate) fn write(fd: c_int, bytes: &[u8]) -> Answer<ssize_t> {
        // SAFETY: pointer and length are those of a slice.
        answered(unsafe { libc::syscall(libc::SYS_write, fd, bytes.as_ptr(), bytes.len()) }).map(|n| n as ssize_t)
    }

    /// The file behind a descriptor, which may have been opened to write only.
    fn reopened<T>(fd: c_int, use_it: impl FnOnce(c_int) -> Answer<T>) -> Answer<T> {
        let path = CString::new(format!("/proc/self/fd/{fd}")).expect("no 0 in it");
        // SAFETY: a C string that lives until the call returns.
        let again = unsafe { open(libc::AT_FDCWD, path.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC, 0) }?;
        let answer = use_it(again);
        close(again).and(answer)
    }

    /// What lies at `offset`, as far as the file goes.
    pub(crate) fn read(fd: c_int, count: usize, offset: u64) -> Vec<u8> {
        let mut bytes = vec![0_u8; count];
        let read = reopened(fd, |fd| {
            // SAFETY: pointer and length are those of the vector.
            answered(unsafe { libc::syscall(libc::SYS_pread64, fd, bytes.as_mut_ptr(), count, offset) })
        });
        bytes.truncate(read.expect("a file of the test can be read") as usize);
        bytes
    }

    /// Puts back what lay at `offset` when the file was `length` long.
    pub(crate) fn restore(fd: c_int, bytes: &[u8], offset: u64, length: u64) -> Answer<()> {
        reopened(fd, |fd| {
            pwrite(fd, bytes, offset as off64_t)?;
            truncate(fd, length as off64_t).map(drop)
        })
    }

    pub(crate) fn advise(fd: c_int, offset: off64_t, length: off64_t, advice: c_int) -> Answer<c_int> {
        // SAFETY: no memory is touched.
        answered(unsafe { libc::syscall(libc::SYS_fadvise64, fd, offset, length, advice) }).map(|n| n as c_int)
    }

    /// Where the next `write` goes.
    pub(crate) fn cursor(fd: c_int) -> Answer<u64> {
        // SAFETY: no memory is touched.
        answered(unsafe { libc::syscall(libc::SYS_lseek, fd, 0, libc::SEEK_CUR) }).map(|n| n as u64)
    }

    pub(crate) fn truncate(fd: c_int, length: off64_t) -> Answer<c_int> {
        // SAFETY: no memory is touched.
        answered(unsafe { libc::syscall(libc::SYS_ftruncate, fd, length) }).map(|n| n as c_int)
    }

    pub(crate) fn sync(fd: c_int, data_only: bool) -> Answer<c_int> {
        let call = if data_only { libc::SYS_fdatasync } else { libc::SYS_fsync };
        // SAFETY: no memory is touched.
        answered(unsafe { libc::syscall(call, fd) }).map(|n| n as c_int)
    }

    pub(crate) fn close(fd: c_int) -> Answer<c_int> {
        // SAFETY: the caller gives the descriptor up, as with the C library's function.
        answered(unsafe { libc::syscall(libc::SYS_close, fd) }).map(|n| n as c_int)
    }

    /// # Safety
    /// `path` is a C string.
    pub(crate) unsafe fn open(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> Answer<c_int> {
        // SAFETY: see above.
        answered(unsafe { libc::syscall(libc::SYS_openat, directory, path, flags, mode) }).map(|n| n as c_int)
    }

    /// # Safety
    /// Both are C strings.
    pub(crate) unsafe fn rename(from: *const c_char, to: *const c_char) -> Answer<c_int> {
        let here = libc::AT_FDCWD;
        // SAFETY: see above.
        answered(unsafe { libc::syscall(libc::SYS_renameat2, here, from, here, to, 0) }).map(|n| n as c_int)
    }

    /// # Safety
    /// `path` is a C string.
    pub(crate) unsafe fn unlink(directory: c_int, path: *const c_char, flags: c_int) -> Answer<c_int> {
        // SAFETY: see above.
        answered(unsafe { libc::syscall(libc::SYS_unlinkat, directory, path, flags) }).map(|n| n as c_int)
    }

    /// # Safety
    /// `path` is a C string.
    pub(crate) unsafe fn mkdir(path: *const c_char, mode: mode_t) -> Answer<c_int> {
        // SAFETY: see above.
        answered(unsafe { libc::syscall(libc::SYS_mkdirat, libc::AT_FDCWD, path, mode) }).map(|n| n as c_int)
    }
}

// Below: the signatures are those that glibc and musl declare on 64-bit Linux (`open` is variadic in C; a call with its
// third argument, or without, passes it in the register in which it is read here). The contracts are the C library's.

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(fd: c_int, bytes: *const c_void, count: size_t, offset: off64_t) -> ssize_t {
    // SAFETY: the caller's promise.
    let bytes = unsafe { buffer(bytes, count) };
    told(match disk::of(fd) {
        Some((disk, node)) => disk.write(fd, node, bytes, offset as u64, |part| kernel::pwrite(fd, part, offset)),
        None => kernel::pwrite(fd, bytes, offset),
    })
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, bytes: *const c_void, count: size_t) -> ssize_t {
    // SAFETY: the caller's promise.
    let bytes = unsafe { buffer(bytes, count) };
    told(match disk::of(fd) {
        Some((disk, node)) => {
            kernel::cursor(fd).and_then(|at| disk.write(fd, node, bytes, at, |part| kernel::write(fd, part)))
        }
        None => kernel::write(fd, bytes),
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn ftruncate64(fd: c_int, length: off64_t) -> c_int {
    told(match disk::of(fd) {
        Some((disk, node)) => disk.resize(node, length as u64, || kernel::truncate(fd, length)),
        None => kernel::truncate(fd, length),
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(fd: c_int) -> c_int {
    told(match disk::of(fd) {
        Some((disk, node)) => disk.sync(node, true),
        None => kernel::sync(fd, true),
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn fsync(fd: c_int) -> c_int {
    told(match disk::of(fd) {
        Some((disk, node)) => disk.sync(node, false),
        None => kernel::sync(fd, false),
    })
}

/// Answers with the number of an error, not by `errno`.
#[unsafe(no_mangle)]
pub extern "C" fn posix_fadvise(fd: c_int, offset: off64_t, length: off64_t, advice: c_int) -> c_int {
    let answer = match disk::of(fd) {
        Some((disk, node)) if advice == libc::POSIX_FADV_DONTNEED => disk.drop_memory(fd, node),
        _ => kernel::advise(fd, offset, length, advice),
    };
    answer.err().unwrap_or(0)
}

#[unsafe(no_mangle)]
pub extern "C" fn close(fd: c_int) -> c_int {
    disk::forget(fd);
    told(kernel::close(fd))
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(name: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's promise.
    let path = unsafe { path(name) };
    // SAFETY: the caller's promise.
    let open = || unsafe { kernel::open(libc::AT_FDCWD, name, flags, mode) };
    told(match Disk::at(path) {
        Some(disk) => disk.open(path, flags, open),
        None => open(),
    })
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    let (old, new) = unsafe { (path(from), path(to)) };
    // SAFETY: the caller's promise.
    let rename = || unsafe { kernel::rename(from, to) };
    told(match Disk::at(old) {
        Some(disk) => disk.rename(old, new, rename),
        None => rename(),
    })
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlink(name: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { unlinkat(libc::AT_FDCWD, name, 0) }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlinkat(directory: c_int, name: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's promise.
    let mut path = unsafe { path(name) }.to_owned();
    if directory != libc::AT_FDCWD {
        path = std::fs::read_link(format!("/proc/self/fd/{directory}")).unwrap_or_default().join(path);
    }
    // SAFETY: the caller's promise.
    let unlink = || unsafe { kernel::unlink(directory, name, flags) };
    told(match Disk::at(&path) {
        Some(disk) => disk.remove(&path, unlink),
        None => unlink(),
    })
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mkdir(name: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: the caller's promise.
    let path = unsafe { path(name) };
    // SAFETY: the caller's promise.
    let mkdir = || unsafe { kernel::mkdir(name, mode) };
    told(match Disk::at(path) {
        Some(disk) => disk.make_directory(path, mkdir),
        None => mkdir(),
    })
}
