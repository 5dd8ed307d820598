//! Where the command line asks: a server, or a data directory that no server holds.
//!
//! Both answer with the messages of the schemas, so that everything behind this point is written once.

use crate::messages::{Lang, Text, calls};
use crate::pb;
use crate::pb::auditor_service_client::AuditorServiceClient;
use crate::pb::auditor_service_server::AuditorService;
use crate::pb::desk_service_client::DeskServiceClient;
use crate::pb::desk_service_server::DeskService;
use crate::pb::rules_service_client::RulesServiceClient;
use crate::pb::rules_service_server::RulesService;
use crate::pb::supervisor_service_client::SupervisorServiceClient;
use crate::pb::supervisor_service_server::SupervisorService;
use crate::serve::MESSAGE_BYTES;
use crate::services::Services;
use dunghen_engine::log::LogError;
use dunghen_engine::{Engine, OpenError, Options};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use tokio_stream::Stream;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// A data directory opened by this process, or a connection to a server.
#[derive(Clone)]
pub enum Source {
    /// Opened here.
    Local(Services),
    /// Asked over gRPC.
    Remote(Connection),
}

/// A connection to a server, with the language that whoever asks there reads.
pub type Connection = InterceptedService<Channel, Reads>;

/// Says in the metadata of every call which language is read.
#[derive(Clone, Copy, Debug)]
pub struct Reads(Lang);

impl Interceptor for Reads {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("accept-language", AsciiMetadataValue::from_static(self.0.tag()));
        Ok(request)
    }
}

/// Records of a replay, in order.
pub type Records = Pin<Box<dyn Stream<Item = Result<pb::ReplayResponse, Status>> + Send>>;

/// Answers of a watch.
pub type Answers = Pin<Box<dyn Stream<Item = Result<pb::WatchRatesResponse, Status>> + Send>>;

impl Source {
    /// Opens a data directory.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn open(path: &Path, options: Options) -> Result<Source, OpenError> {
        Ok(Source::Local(Services::new(Arc::new(Engine::open(path, options)?))))
    }

    /// Connects to a server such as `http://127.0.0.1:7070`, to read English; a missing `http://` is added.
    ///
    /// # Errors
    /// If the URL is none, or nobody answers there.
    pub async fn connect(url: &str) -> Result<Source, Text> {
        Source::connect_in(url, Lang::default()).await
    }

    /// The same, to read this language.
    ///
    /// # Errors
    /// As [`Source::connect`].
    pub async fn connect_in(url: &str, lang: Lang) -> Result<Source, Text> {
        if url.starts_with("https://") {
            return Err(calls::no_encryption(url));
        }
        let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let endpoint = Channel::from_shared(url.clone()).map_err(|e| calls::no_url(&url, &e))?;
        let channel = endpoint.connect().await.map_err(|e| {
            let cause = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
            calls::no_server(&url, &cause)
        })?;
        Ok(Source::Remote(Connection::new(channel, Reads(lang))))
    }

    /// Stops what was opened here, durably. A server goes on.
    ///
    /// # Errors
    /// What the disk says.
    pub fn close(&self) -> Result<(), LogError> {
        match self {
            Source::Local(services) => services.engine().close(),
            Source::Remote(_) => Ok(()),
        }
    }

    /// Records one event.
    ///
    /// # Errors
    /// The refusal.
    pub async fn record(&self, request: pb::RecordRequest) -> Result<pb::RecordResponse, Status> {
        Ok(match self {
            Source::Local(services) => DeskService::record(services, Request::new(request)).await,
            Source::Remote(channel) => DeskServiceClient::new(channel.clone()).record(request).await,
        }?
        .into_inner())
    }

    /// Records a batch.
    ///
    /// # Errors
    /// The refusal of the whole batch; those of single events are in the answer.
    pub async fn record_batch(&self, request: pb::RecordBatchRequest) -> Result<pb::RecordBatchResponse, Status> {
        Ok(match self {
            Source::Local(services) => DeskService::record_batch(services, Request::new(request)).await,
            Source::Remote(channel) => {
                let client = DeskServiceClient::new(channel.clone());
                client.max_decoding_message_size(MESSAGE_BYTES).record_batch(request).await
            }
        }?
        .into_inner())
    }

    /// Asks for rates.
    ///
    /// # Errors
    /// If the question cannot be answered.
    pub async fn get_rates(&self, request: pb::GetRatesRequest) -> Result<pb::GetRatesResponse, Status> {
        Ok(match self {
            Source::Local(services) => SupervisorService::get_rates(services, Request::new(request)).await,
            Source::Remote(channel) => {
                let client = SupervisorServiceClient::new(channel.clone());
                client.max_decoding_message_size(MESSAGE_BYTES).get_rates(request).await
            }
        }?
        .into_inner())
    }

    /// Asks for form II.06a.
    ///
    /// # Errors
    /// If the question cannot be answered.
    pub async fn get_form(&self, request: pb::GetFormRequest) -> Result<pb::GetFormResponse, Status> {
        Ok(match self {
            Source::Local(services) => SupervisorService::get_form(services, Request::new(request)).await,
            Source::Remote(channel) => {
                let client = SupervisorServiceClient::new(channel.clone());
                client.max_decoding_message_size(MESSAGE_BYTES).get_form(request).await
            }
        }?
        .into_inner())
    }

    /// Asks for the targets in their years.
    ///
    /// # Errors
    /// If the question cannot be answered.
    pub async fn list_targets(&self, request: pb::ListTargetsRequest) -> Result<pb::ListTargetsResponse, Status> {
        Ok(match self {
            Source::Local(services) => SupervisorService::list_targets(services, Request::new(request)).await,
            Source::Remote(channel) => {
                let client = SupervisorServiceClient::new(channel.clone());
                client.max_decoding_message_size(MESSAGE_BYTES).list_targets(request).await
            }
        }?
        .into_inner())
    }

    /// Asks for a page of dossiers.
    ///
    /// # Errors
    /// If the question cannot be answered.
    pub async fn list_dossiers(&self, request: pb::ListDossiersRequest) -> Result<pb::ListDossiersResponse, Status> {
        Ok(match self {
            Source::Local(services) => SupervisorService::list_dossiers(services, Request::new(request)).await,
            Source::Remote(channel) => {
                let client = SupervisorServiceClient::new(channel.clone());
                client.max_decoding_message_size(MESSAGE_BYTES).list_dossiers(request).await
            }
        }?
        .into_inner())
    }

    /// Asks for one dossier.
    ///
    /// # Errors
    /// If there is none, or its history cannot be read.
    pub async fn get_dossier(&self, request: pb::GetDossierRequest) -> Result<pb::GetDossierResponse, Status> {
        Ok(match self {
            Source::Local(services) => SupervisorService::get_dossier(services, Request::new(request)).await,
            Source::Remote(channel) => {
                let client = SupervisorServiceClient::new(channel.clone());
                client.max_decoding_message_size(MESSAGE_BYTES).get_dossier(request).await
            }
        }?
        .into_inner())
    }

    /// Asks for a page of obligations.
    ///
    /// # Errors
    /// If the question cannot be answered.
    pub async fn list_obligations(
        &self,
        request: pb::ListObligationsRequest,
    ) -> Result<pb::ListObligationsResponse, Status> {
        Ok(match self {
            Source::Local(services) => SupervisorService::list_obligations(services, Request::new(request)).await,
            Source::Remote(channel) => {
                let client = SupervisorServiceClient::new(channel.clone());
                client.max_decoding_message_size(MESSAGE_BYTES).list_obligations(request).await
            }
        }?
        .into_inner())
    }

    /// The answer to a question about rates now, and again whenever it changes.
    ///
    /// # Errors
    /// If the question cannot be answered.
    pub async fn watch_rates(&self, request: pb::WatchRatesRequest) -> Result<Answers, Status> {
        Ok(match self {
            Source::Local(services) => {
                Box::pin(SupervisorService::watch_rates(services, Request::new(request)).await?.into_inner())
            }
            Source::Remote(channel) => {
                let client = SupervisorServiceClient::new(channel.clone());
                Box::pin(client.max_decoding_message_size(MESSAGE_BYTES).watch_rates(request).await?.into_inner())
            }
        })
    }

    /// Publishes a file of rules.
    ///
    /// # Errors
    /// The fault of the file, at its line.
    pub async fn publish(&self, request: pb::PublishRequest) -> Result<pb::PublishResponse, Status> {
        Ok(match self {
            Source::Local(services) => RulesService::publish(services, Request::new(request)).await,
            Source::Remote(channel) => RulesServiceClient::new(channel.clone()).publish(request).await,
        }?
        .into_inner())
    }

    /// Lists versions of rules.
    ///
    /// # Errors
    /// If the question cannot be answered.
    pub async fn list_rules(&self, request: pb::ListRulesRequest) -> Result<pb::ListRulesResponse, Status> {
        Ok(match self {
            Source::Local(services) => RulesService::list_rules(services, Request::new(request)).await,
            Source::Remote(channel) => {
                let client = RulesServiceClient::new(channel.clone());
                client.max_decoding_message_size(MESSAGE_BYTES).list_rules(request).await
            }
        }?
        .into_inner())
    }

    /// Replays records, up to the head or on and on.
    ///
    /// # Errors
    /// If the question cannot be answered; damage comes in the stream.
    pub async fn replay(&self, request: pb::ReplayRequest) -> Result<Records, Status> {
        Ok(match self {
            Source::Local(services) => {
                Box::pin(AuditorService::replay(services, Request::new(request)).await?.into_inner())
            }
            Source::Remote(channel) => {
                Box::pin(AuditorServiceClient::new(channel.clone()).replay(request).await?.into_inner())
            }
        })
    }
}
