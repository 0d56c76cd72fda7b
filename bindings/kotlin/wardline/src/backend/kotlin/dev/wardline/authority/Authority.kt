/*
 * The organization's signing side: for backends, and for QA. Phones do not have it.
 *
 * What it keeps, as values, stands in Directory.kt.
 */
package dev.wardline.authority

import dev.wardline.Transport
import dev.wardline.internal.LogAdapter
import dev.wardline.internal.host
import dev.wardline.internal.lent
import dev.wardline.internal.lowered
import dev.wardline.internal.millis
import dev.wardline.internal.native
import dev.wardline.internal.number
import dev.wardline.internal.time
import java.io.File
import java.time.Duration
import dev.wardline.ffi.Authority as NativeAuthority
import dev.wardline.ffi.AuthoritySecrets as NativeSecrets
import dev.wardline.ffi.PersonDetails as NativePerson
import dev.wardline.ffi.SecretBytes as NativeSecret
import dev.wardline.ffi.StaffRole as NativeRole
import dev.wardline.ffi.StateStore as NativeStore
import dev.wardline.ffi.StateStoreException as NativeStoreFailure
import dev.wardline.ffi.Team as NativeTeam
import dev.wardline.ffi.TeamMember as NativeMember

/** Where a backend keeps the authority's state. What was saved must survive a power cut. May block; may throw. */
public fun interface StateStore {
    /** Replaces the stored snapshot, all of it or nothing. */
    public suspend fun save(snapshot: ByteArray)
}

/** The root keys and the operational keys of an organization. */
public class AuthoritySecrets private constructor(internal val inside: NativeSecrets) {
    /** The keys as bytes. They are the secret itself: encrypt them before they are stored, and wipe the array. */
    public fun store(): ByteArray = native { inside.store().use { it.copy() } }

    /** The same without the root keys: what an online authority holds. */
    public fun withoutRoot(): AuthoritySecrets = native { AuthoritySecrets(inside.withoutRoot()) }

    /** Shows nothing. */
    override fun toString(): String = "AuthoritySecrets(...)"

    /** Where keys come from. */
    public companion object {
        /** Fresh keys: so many root keys, and one for each purpose. */
        @JvmStatic
        @JvmOverloads
        public fun generate(rootKeys: Int = 3): AuthoritySecrets =
            native { AuthoritySecrets(NativeSecrets.generate(number("rootKeys", rootKeys))) }

        /** Reads stored keys. */
        @JvmStatic
        public fun load(stored: ByteArray): AuthoritySecrets = lent(stored) { bytes ->
            native { NativeSecret(bytes).use { AuthoritySecrets(NativeSecrets.load(it)) } }
        }
    }
}

/**
 * An organization's directory with the keys to sign it.
 *
 * Changes are in the directory of the devices with the next [publish]. Its state is bytes for the backend's own storage
 * ([snapshot]); its keys are kept apart from it.
 */
public class Authority internal constructor(internal val inside: NativeAuthority) {
    /** Everything but the keys, as bytes. */
    public suspend fun snapshot(): ByteArray = native { inside.snapshot() }

    /** The hash of the first root document, 64 hexadecimal digits: what apps pin. */
    public suspend fun pin(): String = native { inside.pin() }

    /** The current root document, which tells a relay whom to serve. */
    public suspend fun rootDocument(): String = native { inside.rootDocument() }

    /** The version of the newest head that the relay has; 0 before the first. */
    public suspend fun version(): Long = native { inside.version().toLong() }

    /**
     * A one-use ticket for one device of a person whom the caller has authenticated; good for 15 minutes when not said
     * otherwise. It is a bearer secret.
     */
    public suspend fun mintTicket(user: String, validFor: Duration? = null): String = native {
        inside.mintTicket(user, validFor?.let { millis("validFor", it) })
    }

    /**
     * Replaces every key: the root keys of both sign the next root document, and [threshold] of the fresh ones sign from
     * then on. Apps keep their pin; devices follow with the next head.
     *
     * Store [fresh] before, and the snapshot after; keep [current] until the next [publish] has ended. While a head is on
     * its way it throws `WL-AUTHORITY-UNSETTLED`: publish first.
     */
    public suspend fun rotate(current: AuthoritySecrets, fresh: AuthoritySecrets, threshold: Int = 1): Unit = native {
        inside.rotate(current.inside, fresh.inside, number("threshold", threshold))
    }

    /**
     * Takes in every device that waits at the relay, and publishes a head if one is due.
     *
     * The state is handed to [store] before the relay can have it. Repeat it from a timer; every step can be repeated.
     */
    public suspend fun publish(relay: String, transport: Transport, store: StateStore? = null): PublishReport = native {
        val report = inside.publish(relay, transport.lowered(), store?.let(::StoreAdapter))
        PublishReport(report.admitted, report.refused.toLong(), report.published?.toLong())
    }

    /**
     * Orders a device of a person to erase itself, as for a phone that was lost, and revokes it. The [reason] is one
     * word, such as `lost`. The device obeys with its next call. [publish] next, so that nobody goes on writing to it.
     */
    public suspend fun orderWipe(
        user: String,
        device: String,
        reason: String,
        relay: String,
        transport: Transport,
        store: StateStore? = null,
    ): Unit = native {
        inside.orderWipe(user, device, reason, relay, transport.lowered(), store?.let(::StoreAdapter))
    }

    /** Every wipe order that the relay has, oldest first, with what its device has said. All of it is verified. */
    public suspend fun wipes(relay: String, transport: Transport): List<WipeStatus> = native {
        inside.wipes(relay, transport.lowered()).map {
            WipeStatus(it.device, it.reason, time(it.orderedAtMs), it.wipedAtMs?.let(::time), it.unsentMessages?.toLong())
        }
    }

    /** Adds a person, or changes what is known of them. False when nothing changed. */
    public suspend fun upsertPerson(details: PersonDetails): Boolean = native {
        val roles = details.staffRoles.map { NativeRole(it.code, it.display, it.department) }
        inside.upsertPerson(NativePerson(details.user, details.displayName, details.fhirReferences, roles))
    }

    /** Off-boards a person: every device of theirs is revoked. False when they had left before. */
    public suspend fun endPerson(user: String): Boolean = native { inside.endPerson(user) }

    /** Revokes one device for good. False when it was revoked before. */
    public suspend fun revokeDevice(user: String, device: String): Boolean = native {
        inside.revokeDevice(user, device)
    }

    /**
     * Takes in what [dev.wardline.Client.vouch] returned on one device of a person about another one of theirs. False
     * when it is recorded already.
     */
    public suspend fun admitVouch(statement: ByteArray): Boolean = native { inside.admitVouch(statement) }

    /** Adds or replaces a care team. False when nothing changed. */
    public suspend fun upsertTeam(team: CareTeam): Boolean = native {
        val members = team.members.map { NativeMember(it.user, it.role) }
        inside.upsertTeam(NativeTeam(team.team, team.displayName, members, team.fhirReferences, team.active))
    }

    /** Removes a care team. False when there was none. */
    public suspend fun removeTeam(team: String): Boolean = native { inside.removeTeam(team) }

    /** A person, with changes that are not published yet. */
    public suspend fun person(user: String): PersonInfo? = native {
        inside.person(user)?.let { found ->
            val details = found.details
            val roles = details.staffRoles.map { StaffRole(it.code, it.display, it.department) }
            PersonInfo(
                PersonDetails(details.user, details.displayName, details.fhirReferences, roles),
                found.active,
                found.devices.map {
                    DeviceInfo(it.device, time(it.enrolledAtMs), it.revokedAtMs?.let(::time), it.vouched)
                },
            )
        }
    }

    /** The ids of everybody who belongs to the organization, sorted. */
    public suspend fun people(): List<String> = native { inside.people() }

    /** The care teams, sorted by id. */
    public suspend fun teams(): List<CareTeam> = native {
        inside.teams().map { team ->
            val members = team.members.map { TeamMember(it.user, it.role) }
            CareTeam(team.team, team.displayName, members, team.fhirReferences, team.active)
        }
    }

    /**
     * Takes people and care teams over from a folder of FHIR R4 bulk NDJSON. Nothing that tells of a patient is taken.
     */
    public suspend fun importFhir(folder: File): ImportReport = native {
        val report = inside.importFhir(folder.path)
        ImportReport(
            peopleAdded = report.peopleAdded.toLong(),
            peopleChanged = report.peopleChanged.toLong(),
            peopleEnded = report.peopleEnded.toLong(),
            teamsAdded = report.teamsAdded.toLong(),
            teamsChanged = report.teamsChanged.toLong(),
            skippedMembers = report.skippedMembers.toLong(),
            problems = report.problems.map { ImportProblem(it.file, it.line.toLong(), it.problem) },
        )
    }

    /** Shows nothing. */
    override fun toString(): String = "Authority(...)"

    /** How an authority comes to be. */
    public companion object {
        /** Founds an organization: [threshold] of the root keys must sign its root documents. */
        @JvmStatic
        @JvmOverloads
        public fun found(organization: String, secrets: AuthoritySecrets, threshold: Int = 1): Authority = native {
            Authority(NativeAuthority.found(organization, number("threshold", threshold), secrets.inside))
        }

        /** Restores a snapshot, with the keys to sign with. */
        @JvmStatic
        public fun restore(snapshot: ByteArray, secrets: AuthoritySecrets): Authority = lent(snapshot) { bytes ->
            native { Authority(NativeAuthority.restore(bytes, secrets.inside)) }
        }
    }
}

private class StoreAdapter(private val store: StateStore) : NativeStore {
    override suspend fun save(snapshot: ByteArray) = host(::failure) { store.save(snapshot) }

    private fun failure(error: Throwable): Exception {
        LogAdapter.fault("the state store", error)
        return NativeStoreFailure.Failed()
    }
}
