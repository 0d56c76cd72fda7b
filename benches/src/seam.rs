//! Only the client's own part of a call is timed: the seam hands out its requests and takes answers in.

use std::time::{Duration, Instant};

use wardline::Client;
use wardline_org::Transport;
use wardline_proto::{Message as _, v1};

/// Fetches until `envelopes` have come; answers how long the client took over them.
pub async fn receive(client: &Client, transport: &dyn Transport, envelopes: usize) -> Duration {
    let (mut spent, mut come) = (Duration::ZERO, 0);
    while come < envelopes {
        for pending in client.pending_requests().await.unwrap() {
            let id = pending.id.to_string();
            let is_receive = id.starts_with("receive-");
            if !is_receive && !id.starts_with("acknowledge-") {
                continue;
            }
            let answer = transport.call(pending.request).await.unwrap();
            if is_receive {
                let answer = v1::ReceiveResponse::decode(answer.body.clone()).unwrap();
                assert!(!answer.envelopes.is_empty(), "{come} of {envelopes} came");
                come += answer.envelopes.len();
            }
            let started = Instant::now();
            client.complete(pending.id, answer).await.unwrap();
            if is_receive {
                spent += started.elapsed();
            }
        }
    }
    spent
}

/// Makes what the client wants to ask until it has claimed keys; answers how long it took over them.
pub async fn claim(client: &Client, transport: &dyn Transport) -> Duration {
    loop {
        let outgoing = client.pending_requests().await.unwrap().swap_remove(0);
        let id = outgoing.id.to_string();
        let answer = transport.call(outgoing.request).await.unwrap();
        let started = Instant::now();
        client.complete(outgoing.id, answer).await.unwrap();
        if id.starts_with("claim-") {
            return started.elapsed();
        }
        assert!(!id.starts_with("receive-"), "there is nobody to claim of");
    }
}
