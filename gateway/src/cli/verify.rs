//! `dunghen verify`: reads every byte of a data directory again, changing none.

use super::{DAMAGED, Failure, Format, format_or_default, output};
use dunghen::messages::{Lang, commands};
use dunghen_engine::directory::DirectoryError;
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct VerifyArgs {
    /// The data directory; no process may be using it.
    #[arg(long, value_name = "DIR", env = "DUNGHEN_DATA")]
    data: PathBuf,
    /// Where to put a copy of the log for the time it takes [default: the system's temporary directory].
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// How to print the answer.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

pub(super) async fn run(args: VerifyArgs, lang: Lang) -> Result<u8, Failure> {
    let base = args.scratch.unwrap_or_else(std::env::temp_dir);
    let scratch = base.join(format!("dunghen-verify-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir_all(&scratch).map_err(|e| Failure::failed(commands::no_scratch(&scratch, &e)))?;
    let (data, copy) = (args.data.clone(), scratch.clone());
    let verified = tokio::task::spawn_blocking(move || dunghen_engine::verify(&data, &copy)).await;
    let removed = std::fs::remove_dir_all(&scratch);
    let verified = verified.map_err(Failure::defect)?.map_err(|error| match error {
        DirectoryError::InUse { path, process } => Failure::failed(commands::verify_in_use(&path, &process)),
        other => other.into(),
    })?;
    removed.map_err(|e| Failure::failed(commands::scratch_stays(&scratch, &e)))?;
    let ok = verified.findings.is_empty();
    match format_or_default(args.format) {
        Format::Json => {
            let findings: Vec<_> =
                verified.findings.iter().map(|f| json!({"position": f.position, "what": f.what})).collect();
            output::json(&json!({
                "records": verified.records, "position": verified.position, "ok": ok, "findings": findings
            }))?;
        }
        Format::Csv => {
            let rows = verified.findings.iter().map(|f| vec![f.position.to_string(), f.what.clone()]).collect();
            output::csv(&["position", "what"], rows)?;
        }
        Format::Table => {
            output::say(&commands::verified(&args.data, ok, verified.records), lang)?;
            for finding in &verified.findings {
                output::say(&commands::finding(finding.position, &finding.what), lang)?;
            }
            if !ok {
                output::say(&commands::damaged_advice(), lang)?;
            }
        }
    }
    Ok(if ok { 0 } else { DAMAGED })
}
