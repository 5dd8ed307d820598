//! Where the measurements write: a directory on a real disk, since memory acknowledges anything.

use crate::Failure;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const IN_MEMORY: [&str; 2] = ["tmpfs", "ramfs"];

/// A scratch directory below `asked`, or beside the executable (in the build's target directory), and its file system.
pub(crate) fn scratch(asked: Option<&Path>) -> Result<(TempDir, String), Failure> {
    let parent = match asked {
        Some(path) => {
            std::fs::create_dir_all(path)?;
            path.to_owned()
        }
        None => {
            let exe = std::env::current_exe()?;
            exe.parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
        }
    };
    let parent = parent.canonicalize()?;
    let kind = std::fs::read_to_string("/proc/self/mounts").map_or_else(
        // Not Linux: nobody knows, and the numbers are printed without a name.
        |_| "unknown".to_owned(),
        |mounts| file_system(&mounts, &parent),
    );
    if IN_MEMORY.contains(&kind.as_str()) {
        let path = parent.display();
        return Err(format!("{path} lies on {kind}, which is no disk; name a directory on one with --data").into());
    }
    let scratch = tempfile::Builder::new().prefix("dunghen-benches-").tempdir_in(parent)?;
    // A peer may run as another user, and must reach its own directory below.
    std::fs::set_permissions(scratch.path(), std::fs::Permissions::from_mode(0o711))?;
    Ok((scratch, kind))
}

/// What a directory takes of the disk with all that is in it, in bytes.
pub(crate) fn taken(path: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(path)? {
        let (entry, kind) = entry.and_then(|e| e.file_type().map(|kind| (e, kind)))?;
        // Blocks of 512 bytes, whatever the file system's own are; a file may have holes.
        bytes += if kind.is_dir() { taken(&entry.path())? } else { entry.metadata()?.blocks() * 512 };
    }
    Ok(bytes)
}

/// The type of the file system that a path lies on: that of the longest mount point above it, the last one mounted.
fn file_system(mounts: &str, path: &Path) -> String {
    let mounted = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (_, point, kind) = (words.next()?, words.next()?, words.next()?);
        path.starts_with(point).then_some((point.len(), kind))
    });
    mounted.max_by_key(|(length, _)| *length).map_or("unknown", |(_, kind)| kind).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_of_all_files_below() {
        let scratch = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(scratch.path().join("below")).expect("a directory");
        for name in ["one", "below/two"] {
            let mut file = std::fs::File::create(scratch.path().join(name)).expect("a file");
            std::io::Write::write_all(&mut file, &[7; 100_000]).expect("written");
            file.sync_all().expect("synced");
        }
        let taken = taken(scratch.path()).expect("read");
        assert!((200_000..400_000).contains(&taken), "{taken}");
    }

    #[test]
    fn the_nearest_mount_counts() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/vdb /tmp/real xfs rw 0 0\n";
        let kind = |path: &str| file_system(mounts, Path::new(path));
        assert_eq!(kind("/home/x"), "ext4");
        assert_eq!(kind("/tmp/x"), "tmpfs");
        assert_eq!(kind("/tmp/real/x"), "xfs");
        assert_eq!(kind("/tmpx"), "ext4");
    }
}
