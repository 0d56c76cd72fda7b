/*
 * What was planned for a message (who is next, how long it lives, in whose name), as values of this package for those of the
 * native library, and the other way round.
 */
package dev.wardline.internal

import dev.wardline.Armed
import dev.wardline.Availability
import dev.wardline.EscalationStatus
import dev.wardline.EscalationStopped
import dev.wardline.EscalationTier
import dev.wardline.InRole
import dev.wardline.Lifetime
import dev.wardline.RoleSpeaker
import dev.wardline.TierStatus
import dev.wardline.ffi.Availability as NativeAvailability
import dev.wardline.ffi.EscalationStatus as NativeStatus
import dev.wardline.ffi.EscalationTier as NativeTier
import dev.wardline.ffi.InRole as NativeInRole
import dev.wardline.ffi.Lifetime as NativeLifetime

internal fun EscalationTier.lowered(): NativeTier = NativeTier(millis("escalate", after), people, roles)

internal fun escalation(native: NativeStatus): EscalationStatus = EscalationStatus(
    armed = Armed.valueOf(native.armed.name),
    tiers = native.tiers.map {
        TierStatus(
            people = it.people,
            roles = it.roles,
            dueAt = time(it.dueAtMs),
            releasedAt = it.releasedAtMs?.let(::time),
            advanced = it.advanced,
            early = it.early,
            givenTo = it.givenTo,
        )
    },
    givenHere = native.givenHere?.toInt(),
    stopped = native.stopped?.let { EscalationStopped(it.user, it.device, time(it.atMs)) },
)

internal fun Lifetime.lowered(): NativeLifetime =
    NativeLifetime(afterSent?.let { millis("lifetime", it) }, afterRead?.let { millis("lifetime", it) })

internal fun lifetime(native: NativeLifetime): Lifetime =
    Lifetime(duration(native.afterSentMs), duration(native.afterReadMs))

internal fun inRole(native: NativeInRole): InRole =
    InRole(native.role, native.speaks?.let { RoleSpeaker.valueOf(it.name) })

internal fun Availability.lowered(): NativeAvailability = NativeAvailability(
    doNotDisturbUntilMs = doNotDisturbUntil?.let { millis("doNotDisturbUntil", it) },
    awayUntilMs = away?.let { millis("away", it.until) },
    delegate = away?.delegate,
)
