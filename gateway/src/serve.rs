//! The server: services, health and reflection on one port.

use crate::language::InLanguage;
use crate::services::Services;
use crate::{messages, pb};
use dunghen_engine::{Engine, Health};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// The largest message taken: a full batch fits.
pub const MESSAGE_BYTES: usize = 16 * 1024 * 1024;
/// How long open requests may go on after the server was told to stop.
const DRAIN: Duration = Duration::from_secs(5);
/// How often health is looked at.
const HEALTH_EVERY: Duration = Duration::from_millis(100);

/// Why a server does not start, or ends; [`messages::directory::serve`] says it to people.
#[derive(Debug, thiserror::Error)]
#[error("{}", messages::directory::serve(self).en)]
pub enum ServeError {
    /// The address is not of this machine alone.
    NotLoopback(SocketAddr),
    /// The address cannot be listened on.
    Listen(SocketAddr, std::io::Error),
    /// The transport failed.
    Transport(#[from] tonic::transport::Error),
    /// Reflection or the protocol could not be set up.
    Setup(String),
}

/// Binds a loopback address; any other is refused.
///
/// # Errors
/// [`ServeError`].
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    if !address.ip().is_loopback() {
        return Err(ServeError::NotLoopback(address));
    }
    TcpListener::bind(address).await.map_err(|e| ServeError::Listen(address, e))
}

/// Serves until `stop` turns true, then lets open requests end. The engine is left open.
///
/// # Errors
/// [`ServeError`].
pub async fn serve(
    listener: TcpListener,
    engine: Arc<Engine>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let services = Services::new(Arc::clone(&engine));
    let (reporter, health) = tonic_health::server::health_reporter();
    let health_task = tokio::spawn(report_health(reporter, engine));
    let setup = |e: tonic_reflection::server::Error| ServeError::Setup(e.to_string());
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let desk =
        pb::desk_service_server::DeskServiceServer::new(services.clone()).max_decoding_message_size(MESSAGE_BYTES);
    let supervisor = pb::supervisor_service_server::SupervisorServiceServer::new(services.clone());
    let auditor = pb::auditor_service_server::AuditorServiceServer::new(services.clone());
    let rules = pb::rules_service_server::RulesServiceServer::new(services);
    let mut told = stop.clone();
    let serving = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .layer(InLanguage)
        .add_service(health)
        .add_service(reflection().build_v1().map_err(setup)?)
        .add_service(reflection().build_v1alpha().map_err(setup)?)
        .add_service(desk)
        .add_service(supervisor)
        .add_service(auditor)
        .add_service(rules)
        .serve_with_incoming_shutdown(
            // Small answers must not wait for the client's acknowledgement of the ones before (Nagle): 40 ms each.
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            // An error means that the sender is gone: that, too, is a reason to stop.
            async move { while !*told.borrow_and_update() && told.changed().await.is_ok() {} },
        );
    let drained = async move {
        while !*stop.borrow_and_update() && stop.changed().await.is_ok() {}
        tokio::time::sleep(DRAIN).await;
    };
    let served = tokio::select! {
        served = serving => served.map_err(ServeError::from),
        // Idle connections must not keep a stopped server alive.
        () = drained => Ok(()),
    };
    health_task.abort();
    served
}

async fn report_health(reporter: tonic_health::server::HealthReporter, engine: Arc<Engine>) {
    use tonic_health::ServingStatus;
    let names = [
        "",
        "dunghen.v1.DeskService",
        "dunghen.v1.SupervisorService",
        "dunghen.v1.AuditorService",
        "dunghen.v1.RulesService",
    ];
    let mut last = None;
    loop {
        let serving = engine.health() == Health::Serving;
        if last != Some(serving) {
            for name in names {
                // Questions are answered from memory even when nothing can be recorded any more.
                let reads = name.contains("Supervisor") || name.contains("Auditor");
                let status = if serving || reads { ServingStatus::Serving } else { ServingStatus::NotServing };
                reporter.set_service_status(name, status).await;
            }
            last = Some(serving);
        }
        tokio::time::sleep(HEALTH_EVERY).await;
    }
}
