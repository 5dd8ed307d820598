//! stub
use super::Failure;
use dunghen::messages::Lang;
#[derive(clap::Args)]
pub(super) struct DemoArgs {}
pub(super) async fn run(_args: DemoArgs, _lang: Lang) -> Result<u8, Failure> {
    Ok(0)
}
