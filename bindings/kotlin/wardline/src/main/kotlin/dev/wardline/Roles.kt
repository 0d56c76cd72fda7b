/*
 * Who is reached through a role, and in whose name a message was written.
 *
 * The organization's side, which plans who holds a role when, is dev.wardline.authority.
 */
package dev.wardline

import dev.wardline.internal.native
import dev.wardline.internal.time
import java.time.Instant

/**
 * Who is reached through a role, and until when that is so.
 *
 * @property role the role.
 * @property displayName what the organization calls it.
 * @property holders who holds it now, each once; nobody, one, or several when turns overlap.
 * @property nextChange when somebody else holds it, as far as is planned.
 * @property custodian who gets its messages as well, keeps them while nobody holds it, and hands open ones on.
 * @property isCurrent whether the directory confirmed it within the policy's refresh time; otherwise it is what was last known.
 */
public data class RoleStatus(
    val role: String,
    val displayName: String,
    val holders: List<RoleHolder>,
    val nextChange: Instant?,
    val custodian: String?,
    val isCurrent: Boolean,
) {
    /** Shows no name. */
    override fun toString(): String = "RoleStatus(role=$role, holders=${holders.size}, isCurrent=$isCurrent)"
}

/**
 * Somebody who holds a role now.
 *
 * @property user the person.
 * @property displayName their name; empty when the directory does not know them.
 * @property isReachable whether they have a device that could receive.
 * @property until when their turn ends.
 */
public data class RoleHolder(val user: String, val displayName: String, val isReachable: Boolean, val until: Instant) {
    /** Shows no name. */
    override fun toString(): String = "RoleHolder(isReachable=$isReachable, until=$until)"
}

/** What lets somebody speak for a role. */
public enum class RoleSpeaker {
    /** They held it. */
    HOLDER,

    /** They are its custodian. */
    CUSTODIAN,

    /** They say that they wrote when they held it; when it came, they held it no more. */
    FORMER_HOLDER,
}

/**
 * A message in a conversation with a role.
 *
 * @property role the role it was sent to, or in whose name it was written.
 * @property speaks as what its sender speaks for the role; null: they are the caller, who writes to it.
 */
public data class InRole(val role: String, val speaks: RoleSpeaker?)

/**
 * Who is reached through a role now, to be shown before something is sent to it: that nobody holds it is an answer. Asks the
 * relay when the directory is not fresh; without a network it is what was known, and [RoleStatus.isCurrent] says so.
 *
 * @throws NotFoundException when there is no such role.
 */
public suspend fun Client.role(role: String): RoleStatus = native {
    val status = inside.role(role)
    RoleStatus(
        role = status.role,
        displayName = status.displayName,
        holders = status.holders.map { RoleHolder(it.user, it.displayName, it.reachable, time(it.untilMs)) },
        nextChange = status.nextChangeMs?.let(::time),
        custodian = status.custodian,
        isCurrent = status.current,
    )
}
