/*
 * What Wardline logs, handed to the app's own logging.
 */
package dev.wardline

import java.time.Instant

/**
 * Takes what Wardline logs. It is safe to log: no names, no texts, ids as short hashes.
 *
 * Called on a thread of Wardline's, a moment after something was logged. A sink that throws, or takes longer than five
 * seconds for a batch, is let go of.
 */
public fun interface LogSink {
    /**
     * Some records, oldest first. [lost] says how many before them did not fit into memory, because this was slower than
     * they came.
     */
    public fun log(records: List<LogRecord>, lost: Long)
}

/**
 * One thing that was logged.
 *
 * @property at when.
 * @property level how important it is.
 * @property target which part logged it, such as `wardline::client::sync`.
 * @property text what it says, with its fields as `name=value`.
 */
public data class LogRecord(val at: Instant, val level: LogLevel, val target: String, val text: String)

/** How important something logged is, most important first. */
public enum class LogLevel {
    /** Something is wrong. */
    ERROR,

    /** Something is odd. */
    WARN,

    /** What happens. */
    INFO,

    /** What happens, in detail. */
    DEBUG,

    /** Everything. */
    TRACE,
}
