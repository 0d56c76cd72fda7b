/*
 * Between the facade and the native library: which library, how it ends, what becomes of its errors.
 *
 * What a call means is not known here.
 */
package dev.wardline.internal

import com.sun.jna.CallbackThreadInitializer
import com.sun.jna.Native
import com.sun.jna.Platform
import dev.wardline.ffi.InternalException
import dev.wardline.ffi.stopRuntime
import dev.wardline.ffi.uniffiEnsureInitialized
import dev.wardline.ffi.uniffiRustFutureContinuationCallbackImpl
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import dev.wardline.ffi.WardlineException as NativeException

/** Makes a call of the library, suspending or not; its errors become those of this package. */
internal inline fun <T> native(call: () -> T): T {
    Library.load()
    try {
        return call()
    } catch (error: NativeException) {
        throw exception(error)
    } catch (_: CharacterCodingException) {
        // Half of a surrogate pair, such as a text field leaves behind when it cuts an emoji.
        throw notText()
    } catch (error: InternalException) {
        throw defect(error.message ?: "a call of the library failed")
    }
}

/** The native library: the one of `wardline-testing` when that package is there, for it has all that ours has. */
internal object Library {
    init {
        if (present(TESTING_MARK)) {
            System.setProperty("uniffi.component.wardline_ffi.libraryOverride", "wardline_ffi_testing")
        }
        try {
            uniffiEnsureInitialized()
        } catch (error: UnsatisfiedLinkError) {
            val text = "there is no library of Wardline for ${Platform.RESOURCE_PREFIX}"
            throw UnsatisfiedLinkError(text).apply { initCause(error) }
        }
        keepThreads()
        stopAtExit()
    }

    /** Loads it at the first call. */
    fun load(): Unit = Unit

    /** Whether it has a relay in a box. */
    val hasTesting: Boolean get() = present(TESTING_MARK)

    private fun present(name: String): Boolean = try {
        Class.forName(name, false, Library::class.java.classLoader)
        true
    } catch (_: ClassNotFoundException) {
        false
    }

    /**
     * Threads of the library that wake a waiting coroutine stay known to the JVM: otherwise each wake makes a Java thread
     * and ends it. They do not keep the JVM from ending, and leave it when they end.
     */
    private fun keepThreads() {
        val initializer = CallbackThreadInitializer(true, false, "wardline")
        Native.setCallbackThreadInitializer(uniffiRustFutureContinuationCallbackImpl, initializer)
    }

    /**
     * Threads of the library that write, or call back, while the process takes itself apart could end it badly. So they
     * end before: what is being written has a moment to arrive on the disk.
     */
    private fun stopAtExit() {
        val stop = Thread({ stopRuntime(STOP_WITHIN_MS) }, "wardline-exit")
        try {
            Runtime.getRuntime().addShutdownHook(stop)
        } catch (_: IllegalStateException) {
            // The process is ending already.
        }
    }

    private const val TESTING_MARK = "dev.wardline.testing.TestRelay"
    private const val STOP_WITHIN_MS: ULong = 3000u
}

/**
 * Lends the library bytes, in a copy outside of the heap, which is how it takes them by reference. The copy is wiped
 * afterwards: that also keeps it from being collected while the library reads, which nothing else does.
 */
internal inline fun <T> lent(bytes: ByteBuffer, call: (ByteBuffer) -> T): T {
    val copy = ByteBuffer.allocateDirect(bytes.remaining()).put(bytes.duplicate())
    copy.flip()
    try {
        return call(copy)
    } finally {
        wipe(copy)
    }
}

/** [lent], of an array. */
internal inline fun <T> lent(bytes: ByteArray, call: (ByteBuffer) -> T): T = lent(ByteBuffer.wrap(bytes), call)

/** Overwrites the whole buffer. */
internal fun wipe(buffer: ByteBuffer) {
    buffer.clear()
    while (buffer.hasRemaining()) buffer.put(0)
}
