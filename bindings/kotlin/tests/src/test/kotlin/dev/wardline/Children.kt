/*
 * What the processes of ProcessTest.kt do.
 */
package dev.wardline

import kotlinx.coroutines.DelicateCoroutinesApi
import kotlinx.coroutines.GlobalScope
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import java.io.File
import kotlin.system.exitProcess

fun main(arguments: Array<String>) = runBlocking {
    when (arguments[0]) {
        "sends" -> sends(config(arguments), arguments[4])
        "receives" -> receives(config(arguments))
        "forgets" -> forgets(File(arguments[1]))
        "exits" -> exits(File(arguments[1]))
    }
}

private fun config(arguments: Array<String>) = Config(
    folder = File(arguments[1]),
    organization = "mercy",
    root = arguments[2],
    relay = RELAY,
    transport = httpTransport(arguments[3]),
    keyStore = Wardline.fileKeyStore(File("${arguments[1]}.keys")),
    passphraseCost = PassphraseCost(19 * 1024, 2, 1),
)

/** Says what it sent, and waits to be killed. */
private suspend fun sends(config: Config, ticket: String) {
    val nurse = Client.enroll(config, "NS-1", ticket, Passphrase(WORDS))
    println(nurse.send(Person("DR-1"), "last words"))
    awaitCancellation()
}

/** What a worker in the background does: it never unlocks. */
private suspend fun receives(config: Config) = Client.open(config).use { doctor ->
    val round = doctor.syncOnce()
    println("${round.received} ${if (doctor.isLocked) "locked" else "open"}")
}

/** Everything is open, the loop runs, and main returns. */
private suspend fun forgets(folder: File) {
    val ward = Ward.open(folder)
    val nurse = ward.enroll("NS-1", Carrier(ward.relay.transport()), Memory())
    nurse.client.start()
    delay(200)
    nurse.client.send(Person("DR-1"), "goodbye")
    println("ended")
}

/** Calls and waits are under way on other threads. */
@OptIn(DelicateCoroutinesApi::class)
private suspend fun exits(folder: File) {
    val ward = Ward.open(folder)
    val nurse = ward.enroll("NS-1", Carrier(ward.relay.transport()))
    nurse.client.start()
    repeat(3) { GlobalScope.launch { nurse.client.events().collect { } } }
    GlobalScope.launch {
        while (true) nurse.client.send(Person("DR-1"), "and again")
    }
    delay(200)
    println("ended")
    exitProcess(0)
}
