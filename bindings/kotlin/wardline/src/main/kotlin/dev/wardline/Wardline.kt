/*
 * What belongs to no client: the version, the log, what a folder holds, the key store for servers and tests.
 */
package dev.wardline

import dev.wardline.ffi.fileKeyStore
import dev.wardline.ffi.isEnrolled
import dev.wardline.ffi.libraryVersion
import dev.wardline.ffi.setLogSink
import dev.wardline.internal.Library
import dev.wardline.internal.LogAdapter
import dev.wardline.internal.NativeKeyStore
import dev.wardline.internal.native
import java.io.File
import dev.wardline.ffi.LogLevel as NativeLevel

/** The library as a whole. */
public object Wardline {
    /** The version of the native library. */
    @JvmStatic
    public val version: String get() = native { libraryVersion() }

    /** Whether the native library has a relay in a box (the package `wardline-testing`). A shipped app has not. */
    @JvmStatic
    public val hasTesting: Boolean get() = Library.hasTesting

    /** Whether a folder holds an enrolled device. */
    @JvmStatic
    public fun isEnrolled(folder: File): Boolean = native { isEnrolled(folder.path) }

    /**
     * A key store in a folder that only this user can read, for servers and tests. It protects against whoever gets the
     * data folder without this one.
     */
    @JvmStatic
    public fun fileKeyStore(folder: File): KeyStore = native { NativeKeyStore(fileKeyStore(folder.path)) }

    /**
     * Hands what Wardline logs, up to [level], to [sink] from now on; to nobody when it is null. One for the process: a
     * second call replaces the first.
     */
    @JvmStatic
    @JvmOverloads
    public fun logTo(sink: LogSink?, level: LogLevel = LogLevel.INFO): Unit = native {
        setLogSink(sink?.let(::LogAdapter), NativeLevel.valueOf(level.name))
        LogAdapter.faults = sink
    }
}
