/*
 * Calls over OkHttp: to a real relay, and to servers that misbehave.
 */
package dev.wardline

import com.sun.net.httpserver.HttpExchange
import com.sun.net.httpserver.HttpServer
import dev.wardline.okhttp.OkHttpTransport
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import okhttp3.OkHttpClient
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Test
import java.net.InetSocketAddress
import java.time.Duration
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.Executors

class OkHttpTest {
    @Test
    fun `a device talks to its relay over OkHttp`() = onWard { ward ->
        // The app's own settings must not cut the long poll short.
        val impatient = OkHttpClient.Builder().readTimeout(Duration.ofMillis(300)).build()
        val line = OkHttpTransport(ward.relay.listen(), impatient)
        val nurse = ward.enroll("NS-1", line)
        val doctor = ward.enroll("DR-1", line)
        nurse.client.start()
        doctor.client.start()
        delay(1000)
        nurse.client.send(Person("DR-1"), "over OkHttp")
        until { doctor.texts("NS-1") == listOf("over OkHttp") }
    }

    private val asked = CopyOnWriteArrayList<String>()
    private val request = RelayRequest(
        "/wardline.v1.Relay/Send",
        listOf(HttpHeader("content-type", "application/proto"), HttpHeader("x-one", "a")),
        byteArrayOf(1, 2, 3),
    )

    private fun served(answer: (HttpExchange) -> Unit, test: suspend (String) -> Unit) = runBlocking {
        val server = HttpServer.create(InetSocketAddress("127.0.0.1", 0), 0)
        val threads = Executors.newCachedThreadPool { Thread(it).apply { isDaemon = true } }
        server.executor = threads
        server.createContext("/") { exchange ->
            val type = exchange.requestHeaders["content-type"]?.single()
            asked += "${exchange.requestMethod} ${exchange.requestURI} $type ${exchange.requestBody.readBytes().size}"
            answer(exchange)
        }
        server.start()
        try {
            withTimeout(20_000) { test("http://127.0.0.1:${server.address.port}") }
        } finally {
            server.stop(0)
            threads.shutdownNow()
        }
    }

    private fun HttpExchange.answer(status: Int, body: ByteArray) {
        sendResponseHeaders(status, if (body.isEmpty()) -1 else body.size.toLong())
        responseBody.use { it.write(body) }
    }

    @Test
    fun `path headers and body go out exactly as they are and every status is an answer`() =
        served({ it.answer(429, "slow down".toByteArray()) }) { url ->
            val answer = OkHttpTransport(url).call(request)
            assertEquals(429 to "slow down", answer.status to answer.body.decodeToString())
            assertEquals(listOf("POST /wardline.v1.Relay/Send application/proto 3"), asked)
        }

    @Test
    fun `a redirect is an answer and is not followed`() = served({
        it.responseHeaders.add("location", "/elsewhere")
        it.answer(307, ByteArray(0))
    }) { url ->
        assertEquals(307, OkHttpTransport(url).call(request).status)
        assertEquals(1, asked.size)
    }

    @Test
    fun `an answer above the limit is refused whether it says so or not`() = served({
        if (asked.size == 1) {
            it.answer(200, ByteArray(2000))
        } else {
            it.sendResponseHeaders(200, 0)
            it.responseBody.use { body -> repeat(100) { body.write(ByteArray(1000)) } }
        }
    }) { url ->
        val line = OkHttpTransport(url, maxAnswer = 1000)
        repeat(2) { refused<TooLarge> { line.call(request) } }
    }

    @Test
    fun `an answer that ends early is a lost connection`() = served({
        it.sendResponseHeaders(200, 1000)
        it.responseBody.write(ByteArray(10))
        it.responseBody.flush()
        it.close()
    }) { url ->
        refused<Interrupted> { OkHttpTransport(url).call(request) }
    }

    @Test
    fun `a cancelled call is given up`() = served({ Thread.sleep(5000) }) { url ->
        val http = OkHttpClient()
        val line = OkHttpTransport(url, http)
        kotlinx.coroutines.coroutineScope {
            val call = launch(Dispatchers.IO) { line.call(request) }
            until { asked.size == 1 }
            withTimeout(2000) { call.cancelAndJoin() }
        }
        until { http.dispatcher.runningCallsCount() == 0 }
    }

    @Test
    fun `nobody there is nobody reached`(): Unit = runBlocking {
        val free = HttpServer.create(InetSocketAddress("127.0.0.1", 0), 0)
        val port = free.address.port
        free.start()
        free.stop(0)
        refused<Unreachable> { OkHttpTransport("http://127.0.0.1:$port").call(request) }
    }

    @Test
    fun `plain http goes to this machine only`() {
        assertThrows(IllegalArgumentException::class.java) { OkHttpTransport("http://relay.mercy.example") }
        assertThrows(IllegalArgumentException::class.java) { OkHttpTransport("https://relay.mercy.example/path") }
        OkHttpTransport("http://relay.mercy.example", allowPlaintext = true)
        OkHttpTransport("https://relay.mercy.example")
    }

    @Test
    fun `what HTTP does not know is refused`(): Unit = runBlocking {
        val line = OkHttpTransport("http://127.0.0.1:1")
        val bad = RelayRequest("/x", listOf(HttpHeader("x-two", "a\nb")), ByteArray(0))
        refused<Refused> { line.call(bad) }
        refused<Refused> { line.call(RelayRequest("//elsewhere.example/x", emptyList(), ByteArray(0))) }
    }
}
