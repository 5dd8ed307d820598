//! Compiles the schema of what is stored, without `protoc`; and tells the sources that make figures apart from all others.

use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The rooms whose sources decide what a snapshot holds.
const FOLDING: [&str; 7] =
    ["src/calendar", "src/dossier", "src/record", "src/rules", "src/views", "src/rules.rs", "src/time.rs"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=../proto/dunghen/log");
    let descriptors = protox::Compiler::new(["../proto"])?
        .include_imports(true)
        .include_source_info(true)
        .open_file("dunghen/log/v1/record.proto")?
        .file_descriptor_set();
    prost_build::Config::new().compile_fds(descriptors)?;
    // Whoever folds otherwise must not trust what another program folded: see `engine/snapshot.rs`.
    let mut sources = Vec::new();
    for room in FOLDING {
        println!("cargo:rerun-if-changed={room}");
        collect(Path::new(room), &mut sources)?;
    }
    sources.sort();
    let mut digest = Sha256::new();
    for source in sources {
        digest.update(source.to_string_lossy().as_bytes());
        digest.update(std::fs::read(&source)?);
    }
    let digest: [u8; 32] = digest.finalize().into();
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    std::fs::write(out.join("folded_by"), digest)?;
    Ok(())
}

fn collect(path: &Path, sources: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.is_file() {
        sources.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        collect(&entry?.path(), sources)?;
    }
    Ok(())
}
