/*
 * What wraps the keys at rest: the platform's key store, implemented by the app.
 *
 * How the library calls it, and what becomes of its faults, stands in internal/HostAdapters.kt.
 */
package dev.wardline

/**
 * Wraps small secrets under keys that the platform guards, and counts failed passphrases.
 *
 * One for each device of each person: two accounts on one phone get two, whose platform keys have different names. Calls
 * come from several threads at once, on `Dispatchers.IO`, and may block there, for example while the person is asked for
 * a fingerprint. Whatever it throws besides [KeyStoreRefusal] counts as [KeyStoreProblem.FAILED].
 *
 * Arrays with secrets belong to the library: it wipes them after the call.
 */
public interface KeyStore {
    /**
     * Wraps 32 random bytes under the key for [purpose], creating that key when there is none. The result is at most
     * 4096 bytes long.
     */
    public suspend fun wrap(purpose: KeyPurpose, secret: ByteArray): ByteArray

    /**
     * The secret that [wrap] was given for the same purpose; [KeyStoreProblem.NOT_MINE] for anything else. The array is
     * wiped afterwards: return a copy when you keep one.
     */
    public suspend fun unwrap(purpose: KeyPurpose, wrapped: ByteArray): ByteArray

    /** Destroys the key for [purpose], so that nothing wrapped under it opens ever again. Fine when there is none. */
    public suspend fun erase(purpose: KeyPurpose)

    /** How many passphrases were tried since the last success. */
    public suspend fun attempts(): Int

    /** Adds one to the counter, durably and before returning, and tells the new count. */
    public suspend fun countAttempt(): Int

    /** Sets the counter to zero. */
    public suspend fun resetAttempts()
}

/** When the platform lets a wrapped secret be opened. */
public enum class KeyPurpose {
    /** From the first unlock of the device after it started, with nobody present. Never prompts. */
    INBOX,

    /** While the device is unlocked; opened together with a passphrase. */
    READING,

    /** Only when the platform has recognized the person. */
    PRESENCE,
}

/** Why a key store did not do what it was asked. */
public enum class KeyStoreProblem {
    /** The platform said no: biometrics locked out, or forbidden by device management. */
    REFUSED,

    /** The person dismissed the prompt. */
    DISMISSED,

    /** Not now: the device was not unlocked since it started, or is locked. */
    UNAVAILABLE,

    /** The platform's key does not open this. */
    NOT_MINE,

    /** Anything else. */
    FAILED,
}

/**
 * What a [KeyStore] throws.
 *
 * @property problem why.
 * @property status the platform's own number, for support; 0 if it has none.
 */
public class KeyStoreRefusal @JvmOverloads constructor(
    public val problem: KeyStoreProblem,
    public val status: Int = 0,
    cause: Throwable? = null,
) : RuntimeException("the platform's key store did not do it: $problem", cause)
