/*
 * What carries calls to the relay. The app's own implementations, and what they are given.
 *
 * How the library calls them, and what becomes of their faults, stands in internal/HostAdapters.kt.
 */
package dev.wardline

/**
 * Carries calls to one relay: one HTTP `POST` each.
 *
 * It interprets nothing (a status other than 200 is an answer, not an error), follows no redirects (the signature covers
 * the path), sends path, headers and body exactly as they are, and lets a call take at least a minute: the relay holds
 * a long poll for up to 50 seconds.
 *
 * It is called on `Dispatchers.IO`, several calls at once, and may block there. When the library gives a call up, the
 * coroutine is cancelled. Whatever it throws besides [TransportFailure] is a lost connection.
 */
public fun interface Transport {
    /**
     * Posts one request and returns the whole response.
     *
     * @throws TransportFailure when nothing came back.
     */
    public suspend fun call(request: RelayRequest): RelayResponse
}

/**
 * One header of a request.
 *
 * @property name the name, in lower case.
 * @property value the value.
 */
public data class HttpHeader(val name: String, val value: String) {
    /** Shows no value. */
    override fun toString(): String = "HttpHeader($name)"
}

/**
 * One HTTP `POST`.
 *
 * @property path absolute path, such as `/wardline.v1.Relay/Send`.
 * @property headers every one must be sent unchanged.
 * @property body the body; do not write to it.
 */
public class RelayRequest(public val path: String, public val headers: List<HttpHeader>, public val body: ByteArray) {
    /** Shows no header and no body. */
    override fun toString(): String = "RelayRequest($path)"
}

/**
 * The answer to one request.
 *
 * @property status the HTTP status.
 * @property body the body.
 */
public class RelayResponse(public val status: Int, public val body: ByteArray) {
    /** Shows no body. */
    override fun toString(): String = "RelayResponse($status)"
}

/**
 * A signed call to the relay, for a host that carries calls itself. It is good for a few minutes.
 *
 * @property id names the call when its answer comes, in this process or in a later one.
 * @property request what to post.
 */
public class PendingRequest(public val id: String, public val request: RelayRequest)

/** Why nothing came back: what a [Transport] throws. */
public sealed class TransportFailure(message: String, cause: Throwable?) : RuntimeException(message, cause)

/** The relay could not be reached; it has not seen the call. */
public class Unreachable @JvmOverloads constructor(cause: Throwable? = null) :
    TransportFailure("the relay cannot be reached", cause)

/** The connection broke, or the answer took too long; the relay may have carried the call out. */
public class Interrupted @JvmOverloads constructor(cause: Throwable? = null) :
    TransportFailure("the connection was lost before the answer", cause)

/** The answer is larger than the transport takes. */
public class TooLarge @JvmOverloads constructor(cause: Throwable? = null) :
    TransportFailure("the answer is too large", cause)

/** The transport refuses to send this, or the other side's certificate is not trusted. */
public class Refused @JvmOverloads constructor(cause: Throwable? = null) :
    TransportFailure("the transport refused", cause)
