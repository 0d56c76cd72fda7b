/*
 * The HTTPS transport that is built into the native library: for services and desktops. Phones carry calls over the
 * platform's own HTTP stack (`wardline-okhttp`), and their library has no other.
 */
@file:JvmName("Http")

package dev.wardline

import dev.wardline.internal.NativeTransport
import dev.wardline.internal.millis
import dev.wardline.internal.native
import java.time.Duration
import dev.wardline.ffi.HttpOptions as NativeOptions
import dev.wardline.ffi.httpTransport as nativeTransport

/**
 * The built-in HTTPS transport, to a relay such as `https://relay.mercy.example`.
 *
 * [extraRootsPem] are certificates that are trusted besides the system's, for a hospital's own CA. [allowPlaintext]
 * allows `http://` to hosts other than this machine, where a proxy speaks TLS. A connection may take [connectTimeout] to
 * be made; ten seconds when null.
 *
 * @throws ArgumentException when the address is none, or not allowed.
 */
@JvmOverloads
public fun httpTransport(
    url: String,
    extraRootsPem: List<ByteArray> = emptyList(),
    allowPlaintext: Boolean = false,
    connectTimeout: Duration? = null,
): Transport = native {
    val timeout = connectTimeout?.let { millis("connectTimeout", it) }
    NativeTransport(nativeTransport(url, NativeOptions(extraRootsPem, allowPlaintext, timeout)))
}
