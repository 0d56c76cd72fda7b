//! The backend's desk: an authority with two people, and the relay's checker beside it.

use wardline_org::authority::{AdmitError, Admitted, Authority, PersonDetails, Secrets};
use wardline_org::directory::Directory;
use wardline_org::ticket::DEFAULT_VALIDITY;
use wardline_org::{Timestamp, UserId};
use wardline_proto::v1;

use crate::relay::enroll_request;
use crate::support::{Device, start};

pub(crate) fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

pub(crate) fn details(id: &str) -> PersonDetails {
    PersonDetails::new(user(id), format!("Name of {id}"))
}

/// An authority with two people, and the relay's checker beside it.
pub(crate) struct Desk {
    pub(crate) secrets: Secrets,
    pub(crate) authority: Authority,
    pub(crate) directory: Directory,
    pub(crate) now: Timestamp,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let secrets = Secrets::generate(3).unwrap();
        let mut authority = Authority::found("mercy".parse().unwrap(), 2, &secrets).unwrap();
        for id in ["DR-CA-001", "DR-CA-002"] {
            assert!(authority.upsert_person(details(id)).unwrap());
        }
        let directory = Directory::new("mercy".parse().unwrap(), authority.pin());
        let mut desk = Self {
            secrets,
            authority,
            directory,
            now: start(),
        };
        desk.publish();
        desk
    }

    /// Publishes what is due, through the relay's checks.
    pub(crate) fn publish(&mut self) -> v1::PublishHeadRequest {
        let request = self
            .authority
            .prepare(self.now)
            .unwrap()
            .expect("something is due");
        let publication = self.directory.check(&request).unwrap();
        self.directory.apply(publication).unwrap();
        self.authority.confirm();
        request
    }

    pub(crate) fn ticket(&self, id: &str) -> String {
        let issuer = self.authority.ticket_issuer().unwrap();
        issuer.mint(&user(id), DEFAULT_VALIDITY, self.now).unwrap()
    }

    pub(crate) fn admit(&mut self, id: &str, device: &Device) -> Result<Admitted, AdmitError> {
        let ticket = self.ticket(id);
        self.authority
            .admit(&enroll_request(&ticket, device), self.now)
    }

    /// As after a restart of the backend.
    pub(crate) fn restart(&mut self) {
        let snapshot = self.authority.snapshot();
        self.authority = Authority::restore(&snapshot, self.secrets.signers()).unwrap();
    }
}
