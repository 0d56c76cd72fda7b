/*
 * Role lines: what people hold in turn, such as being on call for cardiology.
 */
package dev.wardline.authority

import dev.wardline.internal.millis
import dev.wardline.internal.native
import dev.wardline.internal.time
import java.time.Instant
import dev.wardline.ffi.RoleAssignment as NativeAssignment
import dev.wardline.ffi.RoleLine as NativeLine

/**
 * A line that people hold in turn, such as `cardiology-on-call`.
 *
 * @property role the role's id.
 * @property displayName what others see.
 * @property assignments who holds it when.
 * @property custodian who is reached when nobody holds it, and hands open items over.
 */
public data class RoleLine @JvmOverloads constructor(
    val role: String,
    val displayName: String,
    val assignments: List<RoleAssignment>,
    val custodian: String? = null,
) {
    /** Shows no name. */
    override fun toString(): String = "RoleLine($role)"
}

/**
 * One turn of one person.
 *
 * @property user the person.
 * @property from from when.
 * @property until until when.
 */
public data class RoleAssignment(val user: String, val from: Instant, val until: Instant)

/** Adds or replaces a role line. False when nothing changed. */
public suspend fun Authority.upsertRole(role: RoleLine): Boolean = native {
    val turns = role.assignments.map { NativeAssignment(it.user, millis("from", it.from), millis("until", it.until)) }
    inside.upsertRole(NativeLine(role.role, role.displayName, turns, role.custodian))
}

/** Removes a role line. False when there was none. */
public suspend fun Authority.removeRole(role: String): Boolean = native { inside.removeRole(role) }

/** The role lines, sorted by id. */
public suspend fun Authority.roles(): List<RoleLine> = native {
    inside.roles().map { role ->
        val turns = role.assignments.map { RoleAssignment(it.user, time(it.fromMs), time(it.untilMs)) }
        RoleLine(role.role, role.displayName, turns, role.custodian)
    }
}
