//! The data directory: who may use it, what it is, where its parts lie.
//!
//! ```text
//! DIR/dunghen.toml   what this is: format, identity, time zone, first rules; written last of all at creation
//! DIR/lock           held while a process uses the directory; says which
//! DIR/head           the length of the log and its last digest
//! DIR/log/           the newest frames, in sled; after the first roll it is called log.0000000001, and so on
//! DIR/journal        the last of those, durable before sled has made them so
//! DIR/sealed/        the frames before those, in files that never change
//! DIR/failed         there from a write of the log that failed until the log is opened again
//! ```
//!
//! Format 1 is a directory whose whole log is in `log`, in format 2 it may go on in sealed files and other databases, in
//! format 3 its end may be in the journal alone. A directory is made in format 3; an older one becomes that before
//! anything is recorded, so that a program that does not know all parts refuses the directory, and says why, instead of
//! seeing a shorter log.

use crate::log::{Digest, Head, LogError, Roll, SledLog, genesis, sync_directory};
use crate::time::Zone;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The whole log is in one database.
const ONE_DATABASE: &str = "1";
/// The log may be in several parts.
const PARTS: &str = "2";
/// The end of the log may be in the journal.
const JOURNAL: &str = "3";
const IDENTITY: &str = "dunghen.toml";
/// How often a lock that looks taken is tried again, and after how long each time.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It is not there, and was not to be made.
    #[error("there is no data directory at {}; `dunghen serve`, `import`, `record` or `publish` makes one", .0.display())]
    Missing(PathBuf),
    /// It holds other things, and was not made by this program.
    #[error("{} is not empty and no data directory; name a new or an empty place", .0.display())]
    NotEmpty(PathBuf),
    /// It is no directory.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// Another process holds it.
    #[error("{} is in use by process {process}; use --server to ask it", .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process, as it noted itself.
        process: String,
    },
    /// It was made with another time zone.
    #[error("the time zone of {} is {actual}, fixed when it was made; {asked} was asked for", .path.display())]
    OtherZone {
        /// The directory.
        path: PathBuf,
        /// The zone it has.
        actual: &'static str,
        /// The zone asked for.
        asked: &'static str,
    },
    /// Its parts are there, but not as they must be.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The file system says no.
    #[error("{}: {source}", .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What it says.
        source: std::io::Error,
    },
}

/// What a directory becomes when it is made.
#[derive(Clone, Copy, Debug)]
pub struct New {
    /// Its time zone.
    pub zone: Zone,
    /// The name of the rules that it begins with; none of it if it begins with none.
    pub rules: Option<&'static str>,
}

/// What a directory is, as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its own id.
    pub log_id: Uuid,
    /// Its time zone.
    pub zone: Zone,
    /// The name of the rules that it began with.
    pub rules: Option<String>,
}

/// A data directory that this process holds.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    identity: Identity,
    _lock: File,
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> DirectoryError + '_ {
    move |source| DirectoryError::Io { path: path.to_owned(), source }
}

impl Directory {
    /// Takes an existing directory, whose zone must be `asked` if one is asked for, or makes one with the zone `new`.
    ///
    /// # Errors
    /// [`DirectoryError`]; nothing is changed then.
    pub fn open(path: &Path, asked: Option<Zone>, new: Option<New>) -> Result<Directory, DirectoryError> {
        if path.exists() && !path.is_dir() {
            return Err(DirectoryError::NotADirectory(path.to_owned()));
        }
        let known = path.join(IDENTITY).exists();
        // What is fresh was left by a creation that a crash cut short.
        if !known && SledLog::exists(path) && !SledLog::is_fresh(path) {
            let what = format!("{IDENTITY} is missing from {}", path.display());
            return Err(LogError::Damaged { position: 0, what }.into());
        }
        if !known {
            if new.is_none() {
                return Err(DirectoryError::Missing(path.to_owned()));
            }
            std::fs::create_dir_all(path).map_err(at(path))?;
            if holds_other_things(path).map_err(at(path))? {
                return Err(DirectoryError::NotEmpty(path.to_owned()));
            }
        }
        let lock = take_lock(path)?;
        // Looked at again under the lock: another process may just have made it.
        if let (false, Some(new)) = (path.join(IDENTITY).exists(), new) {
            make(path, new)?;
        }
        let identity = read_identity(path)?;
        let actual = identity.zone;
        match asked {
            Some(asked) if asked != actual => {
                Err(DirectoryError::OtherZone { path: path.to_owned(), actual: actual.name(), asked: asked.name() })
            }
            _ => Ok(Directory { path: path.to_owned(), identity, _lock: lock }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its zone.
    #[must_use]
    pub fn zone(&self) -> Zone {
        self.identity.zone
    }

    /// The name of the rules that it began with.
    #[must_use]
    pub fn rules(&self) -> Option<&str> {
        self.identity.rules.as_deref()
    }

    /// The digest that the first frame of its log follows.
    #[must_use]
    pub fn genesis(&self) -> Digest {
        genesis_of(&self.identity)
    }

    /// Opens its log, which goes on in a new part at about every `roll_at` bytes: [`Roll::AT`] but for tests.
    ///
    /// # Errors
    /// As [`SledLog::open`].
    pub fn open_log(&self, roll_at: u64) -> Result<SledLog, LogError> {
        let path = self.path.clone();
        SledLog::open(&self.path, Roll { at: roll_at, announce: Box::new(move || announce_parts(&path)) })
    }
}

fn genesis_of(identity: &Identity) -> Digest {
    let Identity { log_id, zone, rules } = identity;
    let rules = rules.as_ref().map_or_else(String::new, |name| format!("\n{name}"));
    genesis(&format!("{log_id}\n{}{rules}", zone.name()))
}

/// Whether there is anything that a creation cut short does not leave.
fn holds_other_things(path: &Path) -> std::io::Result<bool> {
    const OURS: [&str; 6] = ["lock", "head", "log", "log.new", "dunghen.toml.new", "lost+found"];
    for entry in std::fs::read_dir(path)? {
        if !OURS.iter().any(|name| entry.as_ref().is_ok_and(|e| e.file_name() == *name)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn make(path: &Path, new: New) -> Result<(), DirectoryError> {
    let identity = Identity { log_id: Uuid::now_v7(), zone: new.zone, rules: new.rules.map(str::to_owned) };
    let head = Head { length: 0, digest: genesis_of(&identity) };
    SledLog::create(path, &head)?;
    let text = format!(
        "# A data directory of Đúng Hẹn. Do not edit: the chain of the log begins with these values.\n\
         format = \"{JOURNAL}\"\nlog_id = \"{}\"\ntime_zone = \"{}\"\n{}",
        identity.log_id,
        identity.zone.name(),
        identity.rules.as_ref().map_or_else(String::new, |name| format!("rules = \"{name}\"\n")),
    );
    write_identity(path, text.as_bytes()).map_err(at(&path.join(IDENTITY)))?;
    sync_above(path)
}

/// Makes the way down to a new directory durable: some of those above it may have been made with it, by this process or
/// by one that was killed before it came here. Above a mount point, and where this process may not read, it made
/// nothing.
fn sync_above(path: &Path) -> Result<(), DirectoryError> {
    let path = path.canonicalize().map_err(at(path))?;
    let device = path.metadata().map_err(at(&path))?.dev();
    for above in path.ancestors().skip(1) {
        if above.metadata().map_err(at(above))?.dev() != device {
            break;
        }
        match sync_directory(above) {
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => break,
            synced => synced.map_err(at(above))?,
        }
    }
    Ok(())
}

/// Puts the file that says what the directory is in its place, whole and durable.
fn write_identity(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let draft = path.join("dunghen.toml.new");
    let mut file = File::create(&draft)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&draft, path.join(IDENTITY))?;
    sync_directory(path)
}

/// Raises the format of the directory at `path` to 3; the rest of the file stays as it is.
fn announce_parts(path: &Path) -> Result<(), LogError> {
    let text = std::fs::read_to_string(path.join(IDENTITY))?;
    let named = |format: &str| format!("format = \"{format}\"");
    let has = |format: &&str| text.lines().any(|line| line == named(format));
    if has(&JOURNAL) {
        return Ok(());
    }
    let Some(old) = [ONE_DATABASE, PARTS].into_iter().find(has) else {
        return Err(LogError::Damaged { position: 0, what: format!("{IDENTITY} no longer names its format") });
    };
    Ok(write_identity(path, text.replacen(&named(old), &named(JOURNAL), 1).as_bytes())?)
}

/// What the directory at `path` is.
///
/// # Errors
/// [`LogError::Damaged`] if the file does not say them.
pub fn read_identity(path: &Path) -> Result<Identity, DirectoryError> {
    let file = path.join(IDENTITY);
    let text = std::fs::read(&file).map_err(at(&file))?;
    let text = String::from_utf8_lossy(&text);
    let value = |key: &str| {
        text.lines().find_map(|line| {
            let (k, v) = line.split_once('=')?;
            (k.trim() == key).then(|| v.trim().trim_matches('"'))
        })
    };
    let damaged = |what: String| DirectoryError::Log(LogError::Damaged { position: 0, what });
    match value("format") {
        Some(ONE_DATABASE | PARTS | JOURNAL) => {}
        other => {
            let (other, file) = (other.unwrap_or("nothing"), file.display());
            return Err(damaged(format!("{file} has format {other}; this program reads formats 1 to {JOURNAL}")));
        }
    }
    let log_id = value("log_id").and_then(|v| Uuid::parse_str(v).ok());
    let zone = value("time_zone").and_then(Zone::parse);
    match (log_id, zone) {
        (Some(log_id), Some(zone)) => Ok(Identity { log_id, zone, rules: value("rules").map(str::to_owned) }),
        _ => Err(damaged(format!("{} does not name the log and its time zone", file.display()))),
    }
}

/// The genesis digest of the directory at `path`, without taking it.
///
/// # Errors
/// As [`read_identity`].
pub fn read_genesis(path: &Path) -> Result<Digest, DirectoryError> {
    Ok(genesis_of(&read_identity(path)?))
}

/// The process that holds the directory at `path`, if any. Changes nothing.
///
/// # Errors
/// What the file system says.
pub fn holder(path: &Path) -> Result<Option<String>, DirectoryError> {
    let name = path.join("lock");
    let mut file = match File::open(&name) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(at(&name)(e)),
    };
    match patiently(|| file.try_lock_shared()) {
        Ok(()) => Ok(None),
        Err(std::fs::TryLockError::WouldBlock) => {
            let mut process = String::new();
            file.read_to_string(&mut process).map_err(at(&name))?;
            Ok(Some(process.trim().to_owned()))
        }
        Err(std::fs::TryLockError::Error(e)) => Err(at(&name)(e)),
    }
}

/// Tries a lock for a fifth of a second. A process that is just being started holds a copy of every open file, the lock
/// of a directory among them, until it runs its own program: a lock that was let go may look taken for some
/// milliseconds.
fn patiently(lock: impl Fn() -> Result<(), std::fs::TryLockError>) -> Result<(), std::fs::TryLockError> {
    let mut tried = lock();
    for _ in 0..LOCK_TRIES {
        if !matches!(tried, Err(std::fs::TryLockError::WouldBlock)) {
            break;
        }
        std::thread::sleep(LOCK_PAUSE);
        tried = lock();
    }
    tried
}

fn take_lock(path: &Path) -> Result<File, DirectoryError> {
    let name = path.join("lock");
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&name).map_err(at(&name))?;
    match patiently(|| file.try_lock()) {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            let mut process = String::new();
            file.read_to_string(&mut process).map_err(at(&name))?;
            return Err(DirectoryError::InUse { path: path.to_owned(), process: process.trim().to_owned() });
        }
        Err(std::fs::TryLockError::Error(e)) => return Err(at(&name)(e)),
    }
    file.set_len(0).and_then(|()| file.rewind()).map_err(at(&name))?;
    writeln!(file, "{}", std::process::id()).map_err(at(&name))?;
    Ok(file)
}
