//! Replacing the organization's keys: the relay and the clients follow, and the old keys are refused.

use std::sync::Arc;

use wardline_org::{
    CallSigner, ManualClock, RelayCode, Transport, UserId,
    authority::{Authority, PersonDetails, Secrets},
    http::{HttpOptions, HttpTransport},
    publisher::{Publisher, PublisherError},
    root::{Root, SignedRoot},
    trust::Trust,
};
use wardline_proto::v1;
use wardline_relay::{Config, Relay, Server, ServerOptions, SqliteStorage};

use crate::{
    hospital::start,
    world::{RELAY, call_over, code},
};

/// A relay on a socket, and an authority with a publisher of its own.
struct World {
    server: Server,
    transport: Arc<dyn Transport>,
    secrets: Secrets,
    publisher: Publisher,
    _folder: tempfile::TempDir,
}

impl World {
    /// One person is published.
    async fn new() -> Self {
        let secrets = Secrets::generate(2).unwrap();
        let mut authority = Authority::found("mercy".parse().unwrap(), 2, &secrets).unwrap();
        add(&mut authority, "ada");
        let folder = tempfile::tempdir().unwrap();
        let root = authority.signed_root().unwrap().clone();
        let relay = Relay::open(
            Config::new(RELAY.parse().unwrap()).serving(root),
            Arc::new(SqliteStorage::open(folder.path()).unwrap()),
            Arc::new(ManualClock::new(start())),
        )
        .await
        .unwrap();
        let server = Server::start(relay, ServerOptions::local()).await.unwrap();
        let http = HttpTransport::new(&server.url(), HttpOptions::default()).unwrap();
        let transport: Arc<dyn Transport> = Arc::new(http);
        let publisher = publisher(authority, &transport);
        let mut world = Self {
            server,
            transport,
            secrets,
            publisher,
            _folder: folder,
        };
        assert_eq!(world.round().await.unwrap(), Some(1));
        world
    }

    async fn round(&mut self) -> Result<Option<u64>, PublisherError> {
        let round = self.publisher.publish_once(start()).await?;
        Ok(round.published)
    }

    /// Replaces every key.
    fn rotate(&mut self) {
        let fresh = Secrets::generate(2).unwrap();
        rotate(self.publisher.authority_mut(), &self.secrets, &fresh);
        self.secrets = fresh;
    }

    /// The backend starts again: it has its snapshot and the newest keys, and nothing else.
    fn restart(&mut self) {
        let snapshot = self.publisher.authority().snapshot();
        let authority = Authority::restore(&snapshot, self.secrets.signers()).unwrap();
        self.publisher = publisher(authority, &self.transport);
    }

    fn calls(&self) -> CallSigner {
        calls(self.publisher.authority())
    }

    async fn follow(&self, trust: &mut Trust) {
        let answer = call_over(&*self.transport, &self.calls(), &trust.request(), start())
            .await
            .unwrap();
        trust.accept(&answer).unwrap();
    }
}

#[tokio::test]
async fn new_keys_publish_and_clients_of_the_first_root_document_follow() {
    for restarted in [false, true] {
        let mut world = World::new().await;
        let pin = world.publisher.authority().pin();
        let mut trust = Trust::new("mercy".parse().unwrap(), pin);
        world.follow(&mut trust).await;
        world.rotate();
        add(world.publisher.authority_mut(), "ben");
        if restarted {
            world.restart();
        }
        assert_eq!(world.round().await.unwrap(), Some(3));
        world.follow(&mut trust).await;
        assert_eq!(trust.root().unwrap().version, 2);
        assert_eq!(trust.head().unwrap().head().entries_count, 2);
        // Whoever has nothing but the first pin comes as far.
        let mut stranger = Trust::new("mercy".parse().unwrap(), pin);
        world.follow(&mut stranger).await;
        assert_eq!(stranger.root(), trust.root());
        assert_eq!(world.round().await.unwrap(), None);
        world.server.stop().await;
    }
}

#[tokio::test]
async fn two_rotations_are_published_together() {
    let mut world = World::new().await;
    world.rotate();
    world.rotate();
    world.restart();
    assert_eq!(world.round().await.unwrap(), Some(2));
    let mut trust = Trust::new("mercy".parse().unwrap(), world.publisher.authority().pin());
    world.follow(&mut trust).await;
    assert_eq!(trust.root().unwrap().version, 3);
    world.server.stop().await;
}

#[tokio::test]
async fn rotation_is_published_before_any_number_of_changes() {
    let mut world = World::new().await;
    world.rotate();
    for number in 0..2_000 {
        add(world.publisher.authority_mut(), &format!("user-{number}"));
    }
    world.restart();
    assert_eq!(world.round().await.unwrap(), Some(3));
    world.server.stop().await;
}

#[tokio::test]
async fn lost_answer_to_a_rotation_is_settled_by_the_next_round() {
    let mut world = World::new().await;
    world.rotate();
    let calls = world.calls();
    let authority = world.publisher.authority_mut();
    let request = authority.prepare(start()).unwrap().unwrap();
    call_over(&*world.transport, &calls, &request, start())
        .await
        .unwrap();
    world.restart();
    assert_eq!(world.round().await.unwrap(), Some(2));

    // The same when the call never arrived.
    world.rotate();
    let authority = world.publisher.authority_mut();
    authority.prepare(start()).unwrap().unwrap();
    world.restart();
    assert_eq!(world.round().await.unwrap(), Some(3));
    world.server.stop().await;
}

#[tokio::test]
async fn old_key_is_refused_after_the_rotation() {
    let mut world = World::new().await;
    let old = world.calls();
    // What a thief of the old keys would publish.
    let snapshot = world.publisher.authority().snapshot();
    let mut thief = Authority::restore(&snapshot, world.secrets.signers()).unwrap();
    add(&mut thief, "eve");
    let before = thief.prepare(start()).unwrap().unwrap();
    world.rotate();
    assert_eq!(world.round().await.unwrap(), Some(2));

    let transport = &*world.transport;
    let head = v1::HeadRequest::default();
    let refused = call_over(transport, &old, &head, start()).await;
    assert_eq!(code(refused), RelayCode::BadSignature);
    let first = thief.signed_root().unwrap().to_string();
    let second = world.publisher.authority().signed_root().unwrap();
    let second = second.to_string();
    for roots in [
        vec![],
        vec![first.clone()],
        vec![second.clone()],
        vec![first, second],
    ] {
        let request = v1::PublishHeadRequest {
            expected_version: 2,
            roots,
            ..before.clone()
        };
        let refused = call_over(transport, &old, &request, start()).await;
        assert_eq!(code(refused), RelayCode::BadSignature);
    }
    world.server.stop().await;
}

#[tokio::test]
async fn forged_root_documents_prove_no_caller() {
    let world = World::new().await;
    let mallory = Secrets::generate(2).unwrap();
    let snapshot = world.publisher.authority().snapshot();
    let mut honest = Authority::restore(&snapshot, world.secrets.signers()).unwrap();
    rotate(&mut honest, &world.secrets, &mallory);
    let good = honest.prepare(start()).unwrap().unwrap();
    let second = honest.signed_root().unwrap().root().clone();

    let own = |root: &Root| {
        let signers = mallory.root_signers();
        let signers: Vec<_> = signers.iter().map(AsRef::as_ref).collect();
        SignedRoot::sign(root, &signers).unwrap().to_string()
    };
    let version = |version| Root {
        version,
        ..second.clone()
    };
    let one_of_two = {
        let signers = [&world.secrets.root_signers()[..1], &mallory.root_signers()].concat();
        let signers: Vec<_> = signers.iter().map(AsRef::as_ref).collect();
        SignedRoot::sign(&second, &signers).unwrap().to_string()
    };
    for roots in [
        vec![],
        vec!["not a note".into()],
        vec![own(&version(1))],
        vec![own(&version(2))],
        vec![own(&version(2)), own(&version(3))],
        // A gap: nothing proves what was in between.
        vec![own(&version(3))],
        // Fewer than the old threshold signed it.
        vec![one_of_two],
        // Of another organization.
        vec![own(&Root {
            org: "grace".parse().unwrap(),
            ..version(2)
        })],
        // Good, and a forged one after it.
        vec![good.roots[0].clone(), one_more(&second)],
    ] {
        let request = v1::PublishHeadRequest {
            roots: roots.clone(),
            ..good.clone()
        };
        let refused = call_over(&*world.transport, &calls(&honest), &request, start()).await;
        assert_eq!(code(refused), RelayCode::BadSignature, "{roots:?}");
    }
    // Another call that brings them proves nothing at all.
    let head = v1::HeadRequest::default();
    let refused = call_over(&*world.transport, &calls(&honest), &head, start()).await;
    assert_eq!(code(refused), RelayCode::BadSignature);
    world.server.stop().await;
}

#[tokio::test]
async fn large_body_is_not_taken_for_root_documents_that_it_may_bring() {
    let mut world = World::new().await;
    world.rotate();
    let authority = world.publisher.authority_mut();
    let good = authority.prepare(start()).unwrap().unwrap();
    let large = v1::PublishHeadRequest {
        changed_entries: vec![vec![0; 100 * 1024]],
        ..good.clone()
    };
    let refused = call_over(&*world.transport, &world.calls(), &large, start()).await;
    assert_eq!(code(refused), RelayCode::BadSignature);
    // Neither are very many documents looked at.
    let many = v1::PublishHeadRequest {
        roots: vec![good.roots[0].clone(); 9],
        ..good.clone()
    };
    let refused = call_over(&*world.transport, &world.calls(), &many, start()).await;
    assert_eq!(code(refused), RelayCode::BadSignature);
    call_over(&*world.transport, &world.calls(), &good, start())
        .await
        .unwrap();
    world.server.stop().await;
}

/// A document after this one that other keys signed than it names.
fn one_more(before: &Root) -> String {
    let other = Secrets::generate(2).unwrap();
    let signers = other.root_signers();
    let root = Root {
        version: before.version + 1,
        root_keys: signers.iter().map(|signer| signer.public_key()).collect(),
        ..before.clone()
    };
    let signers: Vec<_> = signers.iter().map(AsRef::as_ref).collect();
    SignedRoot::sign(&root, &signers).unwrap().to_string()
}

fn rotate(authority: &mut Authority, old: &Secrets, fresh: &Secrets) {
    let keys = fresh.root_signers();
    let public = keys.iter().map(|signer| signer.public_key()).collect();
    let both = [old.root_signers(), keys].concat();
    authority.rotate(public, 2, fresh.signers(), &both).unwrap();
}

fn add(authority: &mut Authority, user: &str) {
    let user: UserId = user.parse().unwrap();
    let name = "Somebody with a name that is not short".repeat(2);
    authority
        .upsert_person(PersonDetails::new(user, name))
        .unwrap();
}

fn calls(authority: &Authority) -> CallSigner {
    authority.call_signer(RELAY.parse().unwrap()).unwrap()
}

fn publisher(authority: Authority, transport: &Arc<dyn Transport>) -> Publisher {
    let relay = RELAY.parse().unwrap();
    Publisher::new(authority, relay, Arc::clone(transport), Arc::new(())).unwrap()
}
