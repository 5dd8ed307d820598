//! Where the measurements write: a directory on a real disk, since memory acknowledges anything.

use crate::Failure;
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
    Ok((tempfile::Builder::new().prefix("dunghen-benches-").tempdir_in(parent)?, kind))
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
    fn the_nearest_mount_counts() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/vdb /tmp/real xfs rw 0 0\n";
        let kind = |path: &str| file_system(mounts, Path::new(path));
        assert_eq!(kind("/home/x"), "ext4");
        assert_eq!(kind("/tmp/x"), "tmpfs");
        assert_eq!(kind("/tmp/real/x"), "xfs");
        assert_eq!(kind("/tmpx"), "ext4");
    }
}
