// The organization's signing side, for tests: what its backend does in real life.

import Foundation
import Wardline
internal import WardlineFFI

/// An organization's directory with the keys to sign it.
///
/// Changes are in the directory of the devices with the next ``publish(to:over:saving:)``. Its state is bytes
/// (``snapshot()``); its keys are kept apart from it.
public final class Authority: Sendable {
    let inside: WardlineFFI.Authority

    /// Founds an organization: `threshold` of the root keys must sign its root documents.
    public init(founding organization: String, secrets: AuthoritySecrets, threshold: Int = 1, clock: TestClock? = nil)
        throws
    {
        let threshold = UInt32(clamping: threshold)
        inside = try run {
            if let clock {
                try WardlineFFI.Authority.foundAt(
                    organization: organization, threshold: threshold, secrets: secrets.inside, clock: clock.inside)
            } else {
                try WardlineFFI.Authority.found(
                    organization: organization, threshold: threshold, secrets: secrets.inside)
            }
        }
    }

    /// Restores a snapshot, with the keys to sign with.
    public init(restoring snapshot: Data, secrets: AuthoritySecrets, clock: TestClock? = nil) throws {
        inside = try run {
            if let clock {
                try WardlineFFI.Authority.restoreAt(snapshot: snapshot, secrets: secrets.inside, clock: clock.inside)
            } else {
                try WardlineFFI.Authority.restore(snapshot: snapshot, secrets: secrets.inside)
            }
        }
    }

    /// Everything but the keys, as bytes.
    public func snapshot() async throws -> Data {
        try await run { try await inside.snapshot() }
    }

    /// The hash of the first root document: what apps pin.
    public func pin() async throws -> String {
        try await run { try await inside.pin() }
    }

    /// The current root document, which tells a relay whom to serve.
    public func rootDocument() async throws -> String {
        try await run { try await inside.rootDocument() }
    }

    /// The version of the newest head that the relay has; 0 before the first.
    public func version() async throws -> UInt64 {
        try await run { try await inside.version() }
    }

    /// A one-use ticket for one device of a person whom the caller has authenticated; good for 15 minutes when not said
    /// otherwise. It is a bearer secret.
    public func mintTicket(for user: String, validFor validity: Duration? = nil) async throws -> String {
        try await run { try await inside.mintTicket(user: user, validForMs: validity?.millis) }
    }

    /// Replaces every key: the root keys of both sign the next root document, and `threshold` of the fresh ones sign from
    /// then on. Apps keep their pin; devices follow with the next head. While a head is on its way it throws
    /// `WL-AUTHORITY-UNSETTLED`: publish first.
    public func rotate(from current: AuthoritySecrets, to fresh: AuthoritySecrets, threshold: Int = 1) async throws {
        try await run {
            try await inside.rotate(
                current: current.inside, next: fresh.inside, threshold: UInt32(clamping: threshold))
        }
    }

    /// Takes in every device that waits at the relay, and publishes a head if one is due.
    ///
    /// The state is handed to `save` before the relay can have it. Every step can be repeated.
    @discardableResult
    public func publish(
        to relay: String, over transport: any Wardline.Transport,
        saving save: (@Sendable (Data) async throws -> Void)? = nil
    ) async throws -> PublishReport {
        let (carrier, store) = (transport.native, save.map(StoreAdapter.init))
        let report = try await run { try await inside.publish(relay: relay, transport: carrier, store: store) }
        return PublishReport(
            admitted: report.admitted, refused: Int(clamping: report.refused), published: report.published)
    }

    /// Orders a device of a person to erase itself, as for a phone that was lost, and revokes it. The `reason` is one
    /// word, such as `lost`. The device obeys with its next call. Publish next, so that nobody goes on writing to it.
    public func orderWipe(
        of device: String, of user: String, because reason: String, at relay: String,
        over transport: any Wardline.Transport, saving save: (@Sendable (Data) async throws -> Void)? = nil
    ) async throws {
        let (carrier, store) = (transport.native, save.map(StoreAdapter.init))
        try await run {
            try await inside.orderWipe(
                user: user, device: device, reason: reason, relay: relay, transport: carrier, store: store)
        }
    }

    /// Every wipe order that the relay has, oldest first, with what its device has said. All of it is verified.
    public func wipes(at relay: String, over transport: any Wardline.Transport) async throws -> [WipeStatus] {
        let carrier = transport.native
        return try await run { try await inside.wipes(relay: relay, transport: carrier) }.map(WipeStatus.init)
    }

    /// Adds a person, or changes what is known of them. `false` when nothing changed.
    @discardableResult
    public func upsert(_ person: PersonDetails) async throws -> Bool {
        try await run { try await inside.upsertPerson(details: person.native) }
    }

    /// Off-boards a person: every device of theirs is revoked. `false` when they had left before.
    @discardableResult
    public func endPerson(_ user: String) async throws -> Bool {
        try await run { try await inside.endPerson(user: user) }
    }

    /// Revokes one device for good. `false` when it was revoked before.
    @discardableResult
    public func revoke(device: String, of user: String) async throws -> Bool {
        try await run { try await inside.revokeDevice(user: user, device: device) }
    }

    /// Takes in what `Client.vouch(for:)` returned on one device of a person about another one of theirs. `false` when it
    /// is recorded already.
    @discardableResult
    public func admitVouch(_ statement: Data) async throws -> Bool {
        try await run { try await inside.admitVouch(statement: statement) }
    }

    /// Adds or replaces a care team. `false` when nothing changed.
    @discardableResult
    public func upsert(_ team: CareTeam) async throws -> Bool {
        try await run { try await inside.upsertTeam(team: team.native) }
    }

    /// Removes a care team. `false` when there was none.
    @discardableResult
    public func removeTeam(_ team: String) async throws -> Bool {
        try await run { try await inside.removeTeam(team: team) }
    }

    /// A person, with changes that are not published yet.
    public func person(_ user: String) async throws -> PersonInfo? {
        try await run { try await inside.person(user: user) }.map(PersonInfo.init)
    }

    /// The ids of everybody who belongs to the organization, sorted.
    public func people() async throws -> [String] {
        try await run { try await inside.people() }
    }

    /// The care teams, sorted by id.
    public func teams() async throws -> [CareTeam] {
        try await run { try await inside.teams() }.map(CareTeam.init)
    }

    /// Takes people and care teams over from a folder of FHIR R4 bulk NDJSON. Nothing that tells of a patient is taken.
    public func importFHIR(from folder: URL) async throws -> ImportReport {
        ImportReport(try await run { try await inside.importFhir(folder: folder.path) })
    }
}

/// The root keys and the operational keys of an organization. Wiped when the last reference goes.
public final class AuthoritySecrets: Sendable {
    let inside: WardlineFFI.AuthoritySecrets

    /// Fresh keys: so many root keys, and one for each purpose.
    public init(rootKeys: Int = 3) throws {
        inside = try run { try WardlineFFI.AuthoritySecrets.generate(rootKeys: UInt32(clamping: rootKeys)) }
    }

    /// Reads stored keys.
    public init(stored: Wardline.SecretBytes) throws {
        inside = try run { try WardlineFFI.AuthoritySecrets.load(stored: stored.inside) }
    }

    private init(_ inside: WardlineFFI.AuthoritySecrets) {
        self.inside = inside
    }

    /// The keys as bytes. They are the secret itself: encrypt them before they are stored.
    public func store() -> Wardline.SecretBytes {
        Wardline.SecretBytes(inside.store())
    }

    /// The same without the root keys: what an online authority holds.
    public func withoutRoot() -> AuthoritySecrets {
        AuthoritySecrets(inside.withoutRoot())
    }
}

private final class StoreAdapter: WardlineFFI.StateStore {
    private let store: @Sendable (Data) async throws -> Void

    init(_ store: @escaping @Sendable (Data) async throws -> Void) {
        self.store = store
    }

    func save(snapshot: Data) async throws {
        do {
            try await store(snapshot)
        } catch {
            throw WardlineFFI.StateStoreError.Failed
        }
    }
}
