//! The server that does nothing: the product's service of desks, answered at once and without an engine.
//!
//! What a server with the same messages reaches on the same connections if recording costs nothing: what is lacking to
//! it is the engine's, the rest is gRPC's. It knows no rules and no log; the receipt is always the same but for the id.

use crate::Failure;
use crate::server::told_to_stop;
use dunghen::pb::desk_service_server::{DeskService, DeskServiceServer};
use dunghen::serve::MESSAGE_BYTES;
use dunghen::{pb, wire};
use dunghen_engine::time::Timestamp;
use std::pin::Pin;
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

/// Prints its URL and serves until the standard input ends.
pub(crate) async fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    crate::print(&format!("http://{}", listener.local_addr()?))?;
    let mut told = told_to_stop();
    Server::builder()
        .add_service(DeskServiceServer::new(Empty).max_decoding_message_size(MESSAGE_BYTES))
        .serve_with_incoming_shutdown(
            // As the product does it.
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            // An error means that the sender is gone: that, too, is a reason to stop.
            async move { while !*told.borrow_and_update() && told.changed().await.is_ok() {} },
        )
        .await?;
    Ok(())
}

struct Empty;

fn receipt(event: Option<pb::Event>) -> pb::Receipt {
    pb::Receipt {
        event_id: event.map(|e| e.event_id).unwrap_or_default(),
        position: 1_000_000,
        recorded_at: Some(wire::timestamp(Timestamp(1_760_000_000_123))),
        dossier_version: 2,
        duplicate: false,
        flags: Vec::new(),
    }
}

#[tonic::async_trait]
impl DeskService for Empty {
    async fn record(&self, request: Request<pb::RecordRequest>) -> Result<Response<pb::RecordResponse>, Status> {
        Ok(Response::new(pb::RecordResponse { receipt: Some(receipt(request.into_inner().event)) }))
    }

    async fn record_batch(
        &self,
        request: Request<pb::RecordBatchRequest>,
    ) -> Result<Response<pb::RecordBatchResponse>, Status> {
        let events = request.into_inner().events.into_iter();
        let results =
            events.map(|e| pb::RecordResult { result: Some(pb::record_result::Result::Receipt(receipt(e.event))) });
        Ok(Response::new(pb::RecordBatchResponse { results: results.collect() }))
    }

    type RecordStreamStream = Pin<Box<dyn Stream<Item = Result<pb::RecordStreamResponse, Status>> + Send>>;

    async fn record_stream(
        &self,
        request: Request<Streaming<pb::RecordStreamRequest>>,
    ) -> Result<Response<Self::RecordStreamStream>, Status> {
        let mut sequence = 0;
        let answers = request.into_inner().map(move |request| {
            let result = Some(pb::record_stream_response::Result::Receipt(receipt(request?.event)));
            sequence += 1;
            Ok(pb::RecordStreamResponse { sequence: sequence - 1, result })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}
