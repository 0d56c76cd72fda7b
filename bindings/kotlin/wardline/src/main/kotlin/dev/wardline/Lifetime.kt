/*
 * For how long messages may be read.
 */
package dev.wardline

import dev.wardline.internal.lifetime
import dev.wardline.internal.lowered
import dev.wardline.internal.native
import java.time.Duration

/**
 * For how long a message may be read; what is not said has no end. It is erased then, on every device, offline and locked too.
 *
 * @property afterSent so long after it was written, whoever has opened it.
 * @property afterRead so long after a person has opened it, on any of their devices; on the author's, after everybody it went
 *   to has.
 */
public data class Lifetime @JvmOverloads constructor(val afterSent: Duration? = null, val afterRead: Duration? = null)

/**
 * Sets for how long what this person sends to a recipient from now on may be read, unless a message says otherwise; an empty
 * lifetime takes it back. The policy's limits hold.
 *
 * @throws SendException for one that the policy does not allow.
 */
public suspend fun Client.setLifetime(recipient: Recipient, lifetime: Lifetime): Unit = native {
    inside.setLifetime(recipient.lowered(), lifetime.lowered())
}

/**
 * For how long what is sent to a conversation may be read, when a message says nothing: what was set, or what the policy
 * wants. To be shown before somebody writes.
 */
public suspend fun Client.lifetime(conversation: String): Lifetime = native { lifetime(inside.lifetime(conversation)) }
