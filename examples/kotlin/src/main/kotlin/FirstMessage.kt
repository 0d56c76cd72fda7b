/*
 * The smallest whole: enroll two clinicians, send, receive, read, and get the receipt.
 *
 * It needs `dev.wardline:wardline`, and `wardline-testing` for a relay in the process.
 */
import dev.wardline.Client
import dev.wardline.Config
import dev.wardline.DeliveryChanged
import dev.wardline.DeliveryState
import dev.wardline.MessageArrived
import dev.wardline.Passphrase
import dev.wardline.Person
import dev.wardline.Priority
import dev.wardline.Wardline
import dev.wardline.authority.Authority
import dev.wardline.authority.AuthoritySecrets
import dev.wardline.authority.PersonDetails
import dev.wardline.testing.TestRelay
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.mapNotNull
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import java.io.File
import kotlin.io.path.createTempDirectory

private const val RELAY = "relay.mercy.example"

fun main() {
    val folder = createTempDirectory("first-message").toFile()
    try {
        runBlocking { withTimeout(120_000) { firstMessage(folder) } }
    } finally {
        folder.deleteRecursively()
    }
}

private suspend fun firstMessage(folder: File) {
    // The organization's backend: it knows its people. A relay serves whom this document names.
    val authority = Authority.found("mercy", AuthoritySecrets.generate(rootKeys = 1))
    authority.upsertPerson(PersonDetails("NS-1", "Nurse Okafor"))
    authority.upsertPerson(PersonDetails("DR-1", "Dr. Gupta"))
    val pin = authority.pin()

    TestRelay.open(File(folder, "relay"), RELAY, listOf(authority.rootDocument())).use { relay ->
        val transport = relay.transport()
        authority.publish(RELAY, transport)

        fun config(name: String) = Config(
            folder = File(folder, name),
            organization = "mercy",
            root = pin, // shipped with the app
            relay = RELAY,
            transport = transport, // OkHttpTransport("https://...") in real life
            keyStore = Wardline.fileKeyStore(File(folder, "$name.keys")), // the Android Keystore on a phone
        )

        // Once for each device, with a ticket from the backend.
        Passphrase("correct horse battery staple").use { passphrase ->
            val nurse = Client.enroll(config("nurse"), "NS-1", authority.mintTicket("NS-1"), passphrase)
            val doctor = Client.enroll(config("doctor"), "DR-1", authority.mintTicket("DR-1"), passphrase)
            nurse.use { doctor.use { talk(nurse, doctor, publish = { authority.publish(RELAY, transport) }) } }
        }
    }
}

private suspend fun talk(nurse: Client, doctor: Client, publish: suspend () -> Unit) {
    // From the next head on the directory lists both; now they offer the keys that others seal for.
    publish()
    for (device in listOf(nurse, doctor)) {
        device.syncOnce()
        device.start()
    }

    // Durable when it returns; the loop sends it.
    val sent = nurse.send(Person("DR-1"), "K 6.6 mmol/L", priority = Priority.URGENT)
    println("nurse  sent $sent")

    val arrived = doctor.events().filterIsInstance<MessageArrived>().first()
    val message = checkNotNull(doctor.message(arrived.reference))
    println("doctor reads: ${message.text}")
    doctor.markRead(message)

    val receipt = nurse.events()
        .filterIsInstance<DeliveryChanged>()
        .mapNotNull { changed -> nurse.deliveries(changed.message).find { it.state == DeliveryState.READ } }
        .first()
    println("nurse  has the signed receipt: read by ${receipt.user}")
}
