/*
 * Calls to the relay over OkHttp, the app's own HTTP stack on Android: with its proxies, pins and certificates.
 *
 * Interprets nothing of what it carries.
 */
package dev.wardline.okhttp

import dev.wardline.Interrupted
import dev.wardline.Refused
import dev.wardline.RelayRequest
import dev.wardline.RelayResponse
import dev.wardline.TooLarge
import dev.wardline.Transport
import dev.wardline.TransportFailure
import dev.wardline.Unreachable
import kotlinx.coroutines.suspendCancellableCoroutine
import okhttp3.Call
import okhttp3.Callback
import okhttp3.HttpUrl
import okhttp3.HttpUrl.Companion.toHttpUrl
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.Response
import okio.Buffer
import java.io.IOException
import java.net.ConnectException
import java.net.NoRouteToHostException
import java.net.UnknownHostException
import java.security.GeneralSecurityException
import java.time.Duration
import javax.net.ssl.SSLHandshakeException
import javax.net.ssl.SSLPeerUnverifiedException
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException

/**
 * A [Transport] over OkHttp, to the relay at [url], such as `https://relay.mercy.example`.
 *
 * [client] brings what the app needs (proxy, pins, a hospital's CA, interceptors that only look). It is not changed: this
 * transport takes a copy that shares its connections, follows no redirects, does not send a call twice by itself, and
 * waits as long as a long poll takes. An answer of more than [maxAnswer] bytes is refused.
 *
 * Plain `http` is allowed to this machine only, unless [allowPlaintext] says that a proxy speaks TLS.
 *
 * @throws IllegalArgumentException when the address is none, or not allowed.
 */
public class OkHttpTransport @JvmOverloads constructor(
    url: String,
    client: OkHttpClient = OkHttpClient(),
    private val maxAnswer: Long = MAX_ANSWER,
    allowPlaintext: Boolean = false,
) : Transport {
    private val base: HttpUrl = url.toHttpUrl()

    private val http: OkHttpClient = client.newBuilder()
        .followRedirects(false)
        .followSslRedirects(false)
        // The library retries, with the pauses that the relay asks for.
        .retryOnConnectionFailure(false)
        .readTimeout(POLL)
        .writeTimeout(POLL)
        .callTimeout(CALL)
        .build()

    init {
        require(base.isHttps || allowPlaintext || base.host in THIS_MACHINE) {
            "plain http goes to this machine only"
        }
        require(base.encodedPath == "/" && base.query == null) { "the address of a relay has no path" }
    }

    override suspend fun call(request: RelayRequest): RelayResponse {
        val post = try {
            post(request)
        } catch (error: IllegalArgumentException) {
            // A header or a path that HTTP does not know.
            throw Refused(error)
        }
        return answer(http.newCall(post))
    }

    private fun post(request: RelayRequest): Request {
        require(request.path.startsWith("/")) { "a path that is not absolute" }
        val url = base.resolve(request.path)
        require(url != null && url.host == base.host && url.port == base.port) { "a path to somewhere else" }
        // Without a type of its own: the header says it, exactly as it is.
        val builder = Request.Builder().url(url).post(request.body.toRequestBody(null))
        request.headers.forEach { builder.addHeader(it.name, it.value) }
        return builder.build()
    }

    private suspend fun answer(call: Call): RelayResponse = suspendCancellableCoroutine { waiting ->
        waiting.invokeOnCancellation { call.cancel() }
        call.enqueue(object : Callback {
            override fun onFailure(call: Call, e: IOException) = waiting.resumeWithException(failure(e))

            override fun onResponse(call: Call, response: Response) {
                val read = try {
                    Result.success(response.use(::read))
                } catch (error: IOException) {
                    Result.failure(Interrupted(error))
                } catch (error: TransportFailure) {
                    Result.failure(error)
                }
                read.fold(waiting::resume, waiting::resumeWithException)
            }
        })
    }

    private fun read(response: Response): RelayResponse {
        val body = response.body
        if (body.contentLength() > maxAnswer) throw TooLarge()
        // What comes counts, not what was announced.
        val read = Buffer()
        val source = body.source()
        while (source.read(read, CHUNK) != -1L) {
            if (read.size > maxAnswer) throw TooLarge()
        }
        return RelayResponse(response.code, read.readByteArray())
    }

    private fun failure(error: IOException): TransportFailure = when {
        error is UnknownHostException || error is ConnectException || error is NoRouteToHostException -> Unreachable(error)
        error is SSLPeerUnverifiedException -> Refused(error)
        // A handshake that fails without a certificate to blame is a bad line.
        error is SSLHandshakeException && error.causes().any { it is GeneralSecurityException } -> Refused(error)
        else -> Interrupted(error)
    }

    private fun Throwable.causes(): Sequence<Throwable> = generateSequence(cause) { it.cause }

    /** What it is made with when not said otherwise. */
    public companion object {
        /** The largest answer that is read: 16 MiB. */
        public const val MAX_ANSWER: Long = 16L * 1024 * 1024

        /** A long poll is held for up to 50 seconds, and says nothing meanwhile. */
        private val POLL = Duration.ofSeconds(65)

        /** Less than the 75 seconds after which the library gives a call up. */
        private val CALL = Duration.ofSeconds(70)
        private const val CHUNK = 64L * 1024
        private val THIS_MACHINE = setOf("localhost", "127.0.0.1", "::1")
    }
}
