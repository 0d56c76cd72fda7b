//! The part of a relay that the authority talks to, made of the crate's own checks, in memory, with a
//! line that can be cut at either end of a call.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Mutex, MutexGuard},
};

use async_trait::async_trait;
use wardline_org::call::{CallSigner, Caller, IncomingCall, Window};
use wardline_org::connect::{Refusal, RelayCode};
use wardline_org::directory::Directory;
use wardline_org::ticket::Ticket;
use wardline_org::transport::{self, RelayCall, Transport, TransportError};
use wardline_org::trust::Trust;
use wardline_org::{
    CallError, EntryKey, Hash, OrgId, RelayId, Request, Response, SignedCredential, Timestamp,
};
use wardline_proto::{Message, v1};

use crate::support::{Device, start};

pub(crate) struct TestRelay {
    pub(crate) state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) directory: Directory,
    pub(crate) entries: BTreeMap<EntryKey, Vec<u8>>,
    pub(crate) enrollments: Vec<v1::PendingEnrollment>,
    pub(crate) now: Timestamp,
    /// The call with this method is carried out, and its answer lost.
    pub(crate) lose_answer_of: Option<&'static str>,
    /// The call with this method does not arrive.
    pub(crate) lose_call: Option<&'static str>,
    nonces: Vec<(Caller, String)>,
    sequence: u64,
}

impl TestRelay {
    pub(crate) fn new(org: OrgId, pin: Hash) -> Self {
        Self {
            state: Mutex::new(State {
                directory: Directory::new(org, pin),
                entries: BTreeMap::new(),
                enrollments: Vec::new(),
                now: start(),
                lose_answer_of: None,
                lose_call: None,
                nonces: Vec::new(),
                sequence: 0,
            }),
        }
    }

    pub(crate) fn name() -> RelayId {
        "relay.mercy.example".parse().unwrap()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Hands in a device's request, as its app does.
    pub(crate) async fn enroll(&self, ticket: &str, device: &Device) -> Result<(), CallError> {
        let signer = CallSigner::new(
            Caller::Device(device.id()),
            "mercy".parse().unwrap(),
            Self::name(),
            std::sync::Arc::new(device.signer.clone()),
        );
        let request = enroll_request(ticket, device);
        let now = self.state().now;
        transport::call(self, &signer, &request, now)
            .await
            .map(|_| ())
    }

    /// Brings trust up to the newest head and asks for one entry.
    pub(crate) fn look_up(&self, trust: &mut Trust, key: &str) -> wardline_org::trust::Standing {
        let state = self.state();
        trust
            .accept(&state.directory.head_answer(&trust.request()).unwrap())
            .unwrap();
        let query = v1::EntryQuery {
            key: key.to_owned(),
            known_hash: Vec::new(),
        };
        let load = |key: &EntryKey| Ok::<_, Infallible>(state.entries[key].clone());
        let key = key.parse().unwrap();
        let answer = state.directory.entries().answer(&key, &[], load).unwrap();
        trust.verify_entry(&query, &answer).unwrap()
    }
}

pub(crate) fn enroll_request(ticket: &str, device: &Device) -> v1::EnrollRequest {
    v1::EnrollRequest {
        ticket: ticket.to_owned(),
        credential: device.credential.bytes().to_vec(),
        signature: device.credential.signature().to_vec(),
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Result<Response, Refusal> {
        let method = request.path.strip_prefix(transport::SERVICE_PATH).unwrap();
        let call = IncomingCall::parse(request).map_err(|e| Refusal::new(e.code()))?;
        let verify = |call: IncomingCall, key: &[u8; 32]| {
            call.verify(key, &TestRelay::name(), Window::default(), self.now)
                .map_err(|e| Refusal::new(e.code()))
        };
        let verified = match call.caller() {
            Caller::Authority => {
                let mut answer = Err(Refusal::new(RelayCode::NoHead));
                for key in self.authority_keys(request, method) {
                    answer = answer.or_else(|_| verify(call.clone(), &key));
                }
                answer?
            }
            Caller::Device(_) => {
                let enroll = v1::EnrollRequest::decode(request.body.clone()).unwrap();
                let credential =
                    SignedCredential::verify(&enroll.credential, &enroll.signature).unwrap();
                verify(call, &credential.credential().ed25519)?
            }
        };
        let seen = (verified.caller, verified.nonce);
        if self.nonces.contains(&seen) {
            return Err(Refusal::new(RelayCode::Replay));
        }
        self.nonces.push(seen);
        match method {
            "Enroll" => self.enroll(&decode(request)),
            "Enrollments" => Ok(self.enrollments(&decode(request))),
            "Head" => match self.directory.head_answer(&decode(request)) {
                Some(answer) => Ok(Response::ok(&answer)),
                None => Err(Refusal::new(RelayCode::NoHead)),
            },
            "PublishHead" => self.publish(&decode(request)),
            _ => Err(Refusal::new(RelayCode::Unsupported)),
        }
    }

    /// The key in force, and the one in a root document that the request itself proves.
    fn authority_keys(&self, request: &Request, method: &str) -> Vec<[u8; 32]> {
        use wardline_org::root::Purpose;
        let held = self.directory.root().cloned();
        let brought = (method == "PublishHead").then(|| {
            let publish: v1::PublishHeadRequest = decode(request);
            let root = self.directory.successor(&publish.roots).ok()??;
            Some(root.root().clone())
        });
        let roots = [held, brought.flatten()].into_iter().flatten();
        roots
            .map(|root| *root.keys(Purpose::Authority).next().unwrap())
            .collect()
    }

    fn enroll(&mut self, request: &v1::EnrollRequest) -> Result<Response, Refusal> {
        let root = self
            .directory
            .root()
            .ok_or(Refusal::new(RelayCode::NoHead))?;
        Ticket::verify(&request.ticket, root, self.now).map_err(|e| Refusal::new(e.code()))?;
        self.sequence += 1;
        self.enrollments.push(v1::PendingEnrollment {
            sequence: self.sequence,
            request: Some(request.clone()),
        });
        Ok(Response::ok(&v1::EnrollResponse {}))
    }

    fn enrollments(&mut self, request: &v1::EnrollmentsRequest) -> Response {
        self.enrollments
            .retain(|pending| pending.sequence > request.after);
        let max = usize::try_from(request.max).unwrap().min(2); // small pages, to see them turn
        let enrollments = self.enrollments.iter().take(max).cloned().collect();
        Response::ok(&v1::EnrollmentsResponse { enrollments })
    }

    fn publish(&mut self, request: &v1::PublishHeadRequest) -> Result<Response, Refusal> {
        let publication = self
            .directory
            .check(request)
            .map_err(|e| Refusal::new(e.code()))?;
        for entry in &publication.changed {
            self.entries
                .insert(entry.key().clone(), entry.bytes().to_vec());
        }
        for key in &publication.removed {
            self.entries.remove(key);
        }
        self.directory.apply(publication).unwrap();
        Ok(Response::ok(&v1::PublishHeadResponse {}))
    }
}

#[async_trait]
impl Transport for TestRelay {
    async fn call(&self, request: Request) -> Result<Response, TransportError> {
        let mut state = self.state();
        let is = |method: Option<&str>| method.is_some_and(|m| request.path.ends_with(m));
        if is(state.lose_call) {
            state.lose_call = None;
            return Err(TransportError::Unreachable);
        }
        let answer = state
            .answer(&request)
            .unwrap_or_else(|refusal| refusal.to_response());
        if is(state.lose_answer_of) {
            state.lose_answer_of = None;
            return Err(TransportError::Interrupted);
        }
        Ok(answer)
    }
}

fn decode<C: RelayCall>(request: &Request) -> C {
    C::decode(request.body.clone()).unwrap()
}
