/*
 * A small ward for these tests: one organization, one relay, devices on disk.
 */
package dev.wardline

import dev.wardline.authority.Authority
import dev.wardline.authority.AuthoritySecrets
import dev.wardline.authority.CareTeam
import dev.wardline.authority.PersonDetails
import dev.wardline.authority.TeamMember
import dev.wardline.testing.FaultyNetwork
import dev.wardline.testing.TestClock
import dev.wardline.testing.TestRelay
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.assertTrue
import java.io.File
import java.time.Duration
import kotlin.io.path.createTempDirectory

const val RELAY = "relay.mercy.example"
const val WORDS = "correct horse battery staple"
val SHORT: Duration = Duration.ofMillis(400)

/** One device, and everything needed to open it again. */
class Device(var client: Client, var config: Config, val network: FaultyNetwork?) {
    suspend fun page(other: String): List<Message> =
        client.timeline(client.conversation(Person(other)), size = 100).messages

    suspend fun texts(other: String): List<String> = page(other).map { it.text }

    fun net(): FaultyNetwork = checkNotNull(network)
}

class Ward private constructor(
    val folder: File,
    val authority: Authority,
    val secrets: AuthoritySecrets,
    val relay: TestRelay,
    val pin: String,
    private val clock: TestClock?,
) {
    private val devices = mutableListOf<Device>()

    fun config(name: String, transport: Transport = relay.transport(), keyStore: KeyStore? = null): Config = Config(
        folder = File(folder, name),
        organization = "mercy",
        root = pin,
        relay = RELAY,
        transport = transport,
        keyStore = keyStore ?: Wardline.fileKeyStore(File(folder, "$name.keys")),
        passphraseCost = PassphraseCost(19 * 1024, 2, 1),
    )

    /** Enrolls a device, publishes it and lets it offer its keys. */
    suspend fun enroll(
        user: String,
        transport: Transport? = null,
        keyStore: KeyStore? = null,
        settings: (Config) -> Config = { it },
    ): Device {
        val network = if (transport == null) FaultyNetwork(relay.transport()) else null
        val name = "device-${devices.size + 1}"
        val config = settings(config(name, transport ?: network!!.transport, keyStore))
        val ticket = authority.mintTicket(user)
        val client = clock?.enroll(config, user, ticket, Passphrase(WORDS), "test")
            ?: Client.enroll(config, user, ticket, Passphrase(WORDS), "test")
        val device = Device(client, config, network)
        devices += device
        publish()
        client.syncOnce()
        return device
    }

    /** Closes a device if it is open, and opens it again, locked. */
    suspend fun reopen(device: Device, change: (Config) -> Config = { it }) {
        device.client.shutdown()
        device.config = change(device.config)
        device.client = clock?.open(device.config) ?: Client.open(device.config)
    }

    suspend fun publish() {
        authority.publish(RELAY, relay.transport())
    }

    suspend fun settle(vararg devices: Device) = repeat(2) {
        devices.forEach { it.client.syncOnce() }
    }

    suspend fun close() {
        devices.forEach { it.client.shutdown() }
        relay.stop()
    }

    /** Forgets a device: nobody closes it at the end. */
    fun forget(device: Device) {
        devices -= device
    }

    companion object {
        /** Its time is the system's, or that of a clock. */
        suspend fun open(folder: File, clock: TestClock? = null): Ward {
            val secrets = AuthoritySecrets.generate(rootKeys = 1)
            val authority = clock?.found("mercy", secrets) ?: Authority.found("mercy", secrets)
            for (user in listOf("NS-1", "DR-1")) authority.upsertPerson(PersonDetails(user, "Person $user"))
            val members = listOf("NS-1", "DR-1").map { TeamMember(it) }
            authority.upsertTeam(CareTeam("team-1", "Care team", members))
            val relay = TestRelay.open(File(folder, "relay"), RELAY, listOf(authority.rootDocument()), clock)
            return Ward(folder, authority, secrets, relay, authority.pin(), clock).apply { publish() }
        }
    }
}

/** A test on a ward of its own; hanging is failing. */
fun onWard(test: suspend CoroutineScope.(Ward) -> Unit) = onWard(null, test)

/** The same, on a ward whose time passes by hand. */
fun onTimedWard(test: suspend CoroutineScope.(Ward, TestClock) -> Unit) {
    val clock = TestClock()
    onWard(clock) { ward -> test(ward, clock) }
}

private fun onWard(clock: TestClock?, test: suspend CoroutineScope.(Ward) -> Unit) = inFolder { folder ->
    runBlocking {
        withTimeout(80_000) {
            val ward = Ward.open(folder, clock)
            try {
                test(ward)
            } finally {
                ward.close()
            }
        }
    }
}

fun inFolder(work: (File) -> Unit) {
    val folder = createTempDirectory("ward").toFile()
    try {
        work(folder)
    } finally {
        folder.deleteRecursively()
    }
}

/** Waits until something holds; the events of the library are what usually makes it. */
suspend fun until(seconds: Long = 20, holds: suspend () -> Boolean) = withTimeout(seconds * 1000) {
    while (!holds()) delay(20)
}

/** What the block throws; anything but an [E] fails the test. */
suspend inline fun <reified E : Throwable> refused(work: suspend () -> Unit): E {
    try {
        work()
    } catch (error: Throwable) {
        assertTrue(error is E) { "expected ${E::class.java.simpleName}: $error" }
        return error as E
    }
    throw AssertionError("expected ${E::class.java.simpleName}, and nothing was thrown")
}
