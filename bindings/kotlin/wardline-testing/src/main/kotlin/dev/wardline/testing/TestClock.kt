/*
 * One clock for relay, authority and clients, set by hand, and how each of them is made to follow it.
 */
package dev.wardline.testing

import dev.wardline.Client
import dev.wardline.Config
import dev.wardline.Passphrase
import dev.wardline.authority.Authority
import dev.wardline.authority.AuthoritySecrets
import dev.wardline.ffi.AuthorityForTests
import dev.wardline.ffi.ClientForTests
import dev.wardline.internal.lowered
import dev.wardline.internal.millis
import dev.wardline.internal.native
import dev.wardline.internal.number
import dev.wardline.internal.time
import java.time.Duration
import java.time.Instant
import dev.wardline.ffi.TestClock as NativeClock

/**
 * A clock that stands still until it is moved. It shows [now] at first; the system's time when null.
 *
 * It is what messages, tickets, heads and receipts are dated by. Pauses between retries and long polls follow the
 * system's.
 */
public class TestClock @JvmOverloads constructor(now: Instant? = null) {
    internal val inside: NativeClock = native { NativeClock(now?.toEpochMilli()) }

    /** What it shows. */
    public val now: Instant get() = native { time(inside.nowMs()) }

    /** Lets time pass. */
    public fun advance(by: Duration): Unit = native { inside.advance(millis("by", by)) }

    /** Turns the wall clock, in either direction; no time passes. */
    public fun set(now: Instant): Unit = native { inside.set(now.toEpochMilli()) }

    /** [Authority.found] by this clock. */
    @JvmOverloads
    public fun found(organization: String, secrets: AuthoritySecrets, threshold: Int = 1): Authority = native {
        Authority(AuthorityForTests.foundAt(organization, number("threshold", threshold), secrets.inside, inside))
    }

    /** [Client.enroll] by this clock. */
    public suspend fun enroll(
        config: Config,
        user: String,
        ticket: String,
        passphrase: Passphrase,
        label: String = "device",
    ): Client = native {
        Client(
            ClientForTests.enrollAt(
                config.lowered(),
                config.transport.lowered(),
                config.keyStore.lowered(),
                user,
                label,
                ticket,
                passphrase.inside,
                inside,
                null,
            ),
        )
    }

    /** [Client.open] by this clock. */
    public suspend fun open(config: Config): Client = native {
        Client(
            ClientForTests.openAt(config.lowered(), config.transport.lowered(), config.keyStore.lowered(), inside, null),
        )
    }
}
