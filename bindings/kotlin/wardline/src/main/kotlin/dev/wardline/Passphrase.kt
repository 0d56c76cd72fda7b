/*
 * Secrets as objects that wipe themselves.
 */
package dev.wardline

import dev.wardline.internal.lent
import dev.wardline.internal.native
import dev.wardline.internal.wipe
import java.nio.CharBuffer
import dev.wardline.ffi.Passphrase as NativePassphrase

/**
 * What a person types to read: a PIN, a password or a passphrase. May be used for several calls; [close] wipes it.
 *
 * @throws PassphraseException when it is empty.
 */
public class Passphrase private constructor(internal val inside: NativePassphrase) : AutoCloseable {
    /** From characters, which are wiped: what a text field gives. */
    public constructor(text: CharArray) : this(taken(text))

    /** From a string, which nobody can wipe: for tests, and for secrets that a string holds already. */
    public constructor(text: String) : this(text.toCharArray())

    /** Wipes it now. Calls that are given it afterwards refuse it as empty. */
    override fun close(): Unit = native { inside.wipe() }

    /** Shows nothing. */
    override fun toString(): String = "Passphrase(...)"

    private companion object {
        fun taken(text: CharArray): NativePassphrase {
            val encoded = Charsets.UTF_8.encode(CharBuffer.wrap(text))
            try {
                return lent(encoded) { native { NativePassphrase(it) } }
            } finally {
                text.fill('\u0000')
                wipe(encoded)
            }
        }
    }
}
