use std::time::Duration;

use async_trait::async_trait;
use wardline_org::connect::{ConnectCode, Refusal, RelayCode};
use wardline_org::transport::{self, CallError, Request, Response, Transport, TransportError};
use wardline_org::{CallSigner, Caller, SoftwareSigner};
use wardline_proto::{Message, v1};

use crate::support::start;

#[test]
fn every_code_survives_the_wire_with_its_parameters() {
    for code in RelayCode::ALL {
        let refusal = Refusal::new(code.clone())
            .with_retry_after(Duration::from_millis(1500))
            .with_limit(65_536)
            .with_wipe(v1::WipeNotice {
                order: "an order".into(),
                roots: vec!["a root document".into()],
            });
        let response = refusal.to_response();
        assert_eq!(response.status, code.connect().http_status());
        assert_eq!(Refusal::from_response(&response), refusal);
    }
}

#[test]
fn the_json_is_what_the_connect_protocol_says() {
    let body = Refusal::new(RelayCode::HeadConflict)
        .to_response()
        .body
        .to_vec();
    insta::assert_snapshot!(String::from_utf8(body).unwrap(), @r#"{"code":"aborted","message":"read the newest head, build on it and publish again","details":[{"type":"wardline.v1.ErrorDetail","value":"ChZXTC1SRUxBWS1IRUFELUNPTkZMSUNU"}]}"#);
}

#[test]
fn padded_details_and_unknown_codes_of_other_servers_are_read() {
    let detail = v1::ErrorDetail {
        code: "WL-RELAY-LATER".into(),
        ..Default::default()
    };
    let value = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        detail.encode_to_vec(),
    );
    let body = format!(
        r#"{{"code":"resource_exhausted","details":[{{"type":"other","value":"!"}},{{"type":"wardline.v1.ErrorDetail","value":"{value}"}}]}}"#
    );
    let refusal = Refusal::from_response(&Response {
        status: 429,
        body: body.into(),
    });
    assert_eq!(refusal.code, RelayCode::Other("WL-RELAY-LATER".into()));
    assert_eq!(refusal.connect, ConnectCode::ResourceExhausted);
}

#[test]
fn an_answer_of_a_proxy_is_a_refusal_by_its_status_and_shows_none_of_its_text() {
    let page = Response {
        status: 502,
        body: b"<html>Patient Smith</html>".as_slice().into(),
    };
    let refusal = Refusal::from_response(&page);
    assert_eq!(refusal.connect, ConnectCode::Unavailable);
    assert!(refusal.retryable());

    let detail = v1::ErrorDetail {
        code: "Patient Smith".into(),
        ..Default::default()
    };
    let value = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        detail.encode_to_vec(),
    );
    let body = format!(
        r#"{{"code":"internal","details":[{{"type":"wardline.v1.ErrorDetail","value":"{value}"}}]}}"#
    );
    let refusal = Refusal::from_response(&Response {
        status: 500,
        body: body.into(),
    });
    assert!(!format!("{refusal} {refusal:?}").contains("Smith"));
}

#[test]
fn statuses_follow_the_connect_table() {
    let table: Vec<String> = ConnectCode::ALL
        .iter()
        .map(|code| format!("{} {}", code.as_str(), code.http_status()))
        .collect();
    insta::assert_snapshot!(table.join("\n"), @r#"
    canceled 499
    unknown 500
    invalid_argument 400
    deadline_exceeded 504
    not_found 404
    already_exists 409
    permission_denied 403
    resource_exhausted 429
    failed_precondition 400
    aborted 409
    out_of_range 400
    unimplemented 501
    internal 500
    unavailable 503
    data_loss 500
    unauthenticated 401
    "#);
}

/// Answers every call with the same bytes.
struct Fixed(Response);

#[async_trait]
impl Transport for Fixed {
    async fn call(&self, request: Request) -> Result<Response, TransportError> {
        assert_eq!(request.path, "/wardline.v1.Relay/Checkpoint");
        assert_eq!(request.header("content-type"), Some("application/proto"));
        assert!(request.header("signature").is_some());
        Ok(self.0.clone())
    }
}

async fn checkpoint(answer: Response) -> Result<v1::CheckpointResponse, CallError> {
    let signer = CallSigner::new(
        Caller::Authority,
        "mercy".parse().unwrap(),
        "relay".parse().unwrap(),
        std::sync::Arc::new(SoftwareSigner::from_seed(&[1; 32])),
    );
    transport::call(
        &Fixed(answer),
        &signer,
        &v1::CheckpointRequest { counter: 7 },
        start(),
    )
    .await
}

#[tokio::test]
async fn a_typed_call_returns_its_answer_or_a_typed_error() {
    let answer = checkpoint(Response::ok(&v1::CheckpointResponse { highest: 9 })).await;
    assert_eq!(answer.unwrap().highest, 9);

    let refused = checkpoint(Refusal::new(RelayCode::Revoked).to_response())
        .await
        .unwrap_err();
    assert_eq!(refused.refusal().unwrap().code, RelayCode::Revoked);
    assert!(!refused.retryable());

    let garbage = checkpoint(Response {
        status: 200,
        body: vec![0xff; 3].into(),
    })
    .await;
    assert_eq!(garbage.unwrap_err(), CallError::BadAnswer);
}
