/*
 * What the Kotlin package adds to a call, and whether memory grows: against the same calls made in Rust.
 *
 * Both sides run in this process, call by call in turns, so that whatever else the machine does meets both. The
 * differences of the medians are what counts; memory is that of the process, relay excepted (the relay runs in a
 * process of its own). Run by `cargo xtask bench-bindings kotlin`, on a native library built for release.
 *
 * The same in Python and Swift: bindings/python/benches, bindings/swift/Benches.
 */
package dev.wardline

import dev.wardline.authority.Authority
import dev.wardline.authority.AuthoritySecrets
import dev.wardline.authority.PersonDetails
import dev.wardline.ffi.Stopwatch
import dev.wardline.internal.lowered
import dev.wardline.testing.TestRelay
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import java.io.BufferedReader
import java.io.File
import java.util.Locale
import kotlin.io.path.createTempDirectory
import kotlin.system.exitProcess

private const val RELAY = "relay.mercy.example"
private const val TEXT = "K 6.6 mmol/L, please repeat and call back"
private const val EVENTS = 500

/** What 20,000 sends and receives may leave behind, in MiB: what an allocator keeps back, and code the JVM compiles late. */
private const val GROWTH = 4.0

/** Calls of each side before any is counted: the JVM compiles what it has run often. */
private const val WARM_UP = 2000

fun main(arguments: Array<String>) {
    if (arguments.firstOrNull() == "serve") return serve(File(arguments[1]))
    val (turns, messages) = numbers(arguments)
    val folder = createTempDirectory("overhead").toFile()
    val relay = RelayProcess(folder)
    try {
        val held = runBlocking { measure(folder, relay, turns, messages) }
        relay.end()
        exitProcess(if (held) 0 else 1)
    } finally {
        folder.deleteRecursively()
    }
}

private fun numbers(arguments: Array<String>): Pair<Int, Int> {
    fun number(name: String, usual: Int): Int {
        val place = arguments.indexOf(name)
        return if (place < 0) usual else arguments[place + 1].toInt()
    }
    return number("--turns", 500) to number("--messages", 20_000)
}

/** The relay and the organization, in a process of their own: says where it is, and publishes when it is told to. */
private fun serve(folder: File) = runBlocking {
    val authority = Authority.found("mercy", AuthoritySecrets.generate(rootKeys = 1))
    val people = listOf("NS-1", "DR-1")
    for (user in people) authority.upsertPerson(PersonDetails(user, "Person $user"))
    val relay = TestRelay.open(File(folder, "relay"), RELAY, listOf(authority.rootDocument()))
    authority.publish(RELAY, relay.transport())
    println(relay.listen())
    println(authority.pin())
    for (user in people) println(authority.mintTicket(user))
    while (readlnOrNull() != null) {
        authority.publish(RELAY, relay.transport())
        println("published")
    }
    relay.stop()
}

private class RelayProcess(folder: File) {
    private val process = ProcessBuilder(
        File(System.getProperty("java.home"), "bin/java").path,
        "-cp", System.getProperty("java.class.path"), "dev.wardline.OverheadKt", "serve", folder.path,
    ).redirectError(ProcessBuilder.Redirect.INHERIT).start()
    private val says: BufferedReader = process.inputReader()
    val address: String = line()
    val pin: String = line()
    val tickets: List<String> = listOf(line(), line())

    fun publish() {
        process.outputWriter().apply { write("\n") }.flush()
        line()
    }

    fun end() {
        process.outputStream.close()
        process.waitFor()
    }

    private fun line(): String = checkNotNull(says.readLine()) { "the relay has ended" }
}

private suspend fun measure(folder: File, relay: RelayProcess, turns: Int, messages: Int): Boolean {
    suspend fun enroll(user: String, ticket: String): Client {
        val config = Config(
            folder = File(folder, user),
            organization = "mercy",
            root = relay.pin,
            relay = RELAY,
            transport = httpTransport(relay.address),
            keyStore = Wardline.fileKeyStore(File(folder, "$user.keys")),
        )
        return Client.enroll(config, user, ticket, Passphrase("bench"), "bench")
    }

    val nurse = enroll("NS-1", relay.tickets[0])
    val doctor = enroll("DR-1", relay.tickets[1])
    relay.publish()
    for (client in listOf(doctor, nurse)) sync(client)
    live(nurse, doctor, WARM_UP)

    var good = true
    println(row("call", "Kotlin", "Rust", "added", "at most") + "   (µs, medians)")
    for (found in overhead(nurse, doctor, turns)) {
        good = good && found.added <= found.limit
        println(row(found.call, micros(found.kotlin), micros(found.rust), micros(found.added), micros(found.limit)))
    }
    if (messages > 0) {
        val grown = memory(nurse, doctor, messages)
        good = good && grown <= GROWTH
        println("memory over $messages sends and receives: ${mebi(grown)} MiB, at most ${GROWTH.toInt()}")
    }
    nurse.shutdown()
    doctor.shutdown()
    return good
}

/** The medians of one call, in microseconds, and what the package may add. */
private class Found(val call: String, val kotlin: Double, val rust: Double, val limit: Double) {
    val added: Double get() = kotlin - rust
}

private suspend fun overhead(nurse: Client, doctor: Client, turns: Int): List<Found> {
    val to = Person("DR-1")
    val watch = Stopwatch(nurse.inside)
    val sends = compare(turns, { nurse.send(to, TEXT) }, { watch.sends(to.lowered(), TEXT, 1u) })
    val conversation = nurse.conversation(to)
    // Quick ones: as often as it takes until the JVM has compiled what a page goes through.
    repeat(WARM_UP) { nurse.timeline(conversation) }
    val pages = compare(turns, { nurse.timeline(conversation, size = 50) }, { watch.pages(conversation, 50u, 1u) })
    repeat(EVENTS) { nurse.send(to, "$TEXT $it") }
    sync(nurse)
    sync(doctor)
    check(doctor.eventsFrom(limit = EVENTS).size == EVENTS)
    val other = Stopwatch(doctor.inside)
    repeat(WARM_UP / 10) { doctor.eventsFrom(limit = EVENTS) }
    val events = compare(turns, { doctor.eventsFrom(limit = EVENTS) }, { other.events(EVENTS.toUInt(), 1u) })
    watch.close()
    other.close()
    return listOf(
        Found("send", sends.first, sends.second, 100.0),
        Found("timeline page of 50", pages.first, pages.second, 500.0),
        Found("receive, per event", events.first / EVENTS, events.second / EVENTS, 5.0),
    )
}

/**
 * The medians, in microseconds: from Kotlin, and in Rust. Best read on a quiet machine: a call from Kotlin changes
 * threads twice more, and waits for a core each time when all are busy.
 */
private suspend fun compare(
    turns: Int,
    ours: suspend () -> Unit,
    theirs: suspend () -> List<ULong>,
): Pair<Double, Double> {
    val kotlin = mutableListOf<Long>()
    val rust = mutableListOf<Long>()
    repeat(turns) {
        // One call each: in a row of them, threads that a single call has to wake are still awake.
        theirs().forEach { rust += it.toLong() }
        val started = System.nanoTime()
        ours()
        kotlin += System.nanoTime() - started
    }
    return median(kotlin) to median(rust)
}

private fun median(nanos: List<Long>): Double = nanos.sorted()[nanos.size / 2] / 1000.0

/** So many messages are sent, received, told as events and confirmed. */
private suspend fun live(nurse: Client, doctor: Client, messages: Int, text: String = TEXT) {
    for (start in 0 until messages step 200) {
        for (number in start until start + 200) nurse.send(Person("DR-1"), "$text $number")
        sync(nurse)
        sync(doctor)
        sync(nurse)
        for (client in listOf(nurse, doctor)) {
            while (true) client.confirm(client.eventsFrom(limit = 500).lastOrNull() ?: break)
        }
    }
}

/** One round. A relay lets a device ask as often as people need it, which is less often than this does. */
private suspend fun sync(client: Client) {
    repeat(60) {
        try {
            client.syncOnce()
            return
        } catch (error: RelayException) {
            if (error.code != "WL-RELAY-QUOTA") throw error
            delay(500)
        }
    }
    error("the relay serves no more")
}

/** How much the process has grown after so many messages, in MiB, after a warm-up. */
private suspend fun memory(nurse: Client, doctor: Client, messages: Int): Double {
    // Long ones: the page caches of SQLite grow with the store until they are full.
    live(nurse, doctor, 6000, TEXT.repeat(60))
    val before = resident()
    val steps = mutableListOf<Double>()
    repeat(5) {
        live(nurse, doctor, messages / 5)
        steps += resident() - before
    }
    println("  growth after each fifth: ${steps.joinToString { mebi(it) }} MiB")
    return steps.last()
}

/**
 * What this process has in memory, in MiB, and what of its heap is in use. The heap has its full size from the start (see
 * pom.xml), so that the first grows by what is outside of the heap alone, and the second by what is kept inside of it.
 */
private fun resident(): Double {
    val line = File("/proc/self/status").readLines().first { it.startsWith("VmRSS:") }
    System.gc()
    val heap = Runtime.getRuntime().run { totalMemory() - freeMemory() }
    return line.split(Regex("\\s+"))[1].toInt() / 1024.0 + heap / 1048576.0
}

private fun row(call: String, vararg cells: String): String = call.padEnd(22) + cells.joinToString("") { it.padStart(12) }

private fun micros(value: Double): String = "%.1f".format(Locale.ROOT, value)

private fun mebi(value: Double): String = "%+.1f".format(Locale.ROOT, value)
