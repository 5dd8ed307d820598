//! stub until merged
use super::{Failure, Target};
use dunghen::messages::Lang;
#[derive(clap::Args)]
pub(super) struct ImportArgs {
    #[command(flatten)]
    target: Target,
}
pub(super) async fn run(_args: ImportArgs, _lang: Lang) -> Result<u8, Failure> {
    Ok(0)
}
