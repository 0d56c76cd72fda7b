/*
 * Everything that can go wrong, as exceptions: one class for each domain, a stable code for each cause.
 *
 * What host code throws into Wardline (a transport, a key store) is not here: see Transport.kt and KeyStore.kt.
 */
package dev.wardline

import java.time.Duration

/** What helps against an error. */
public enum class Recovery {
    /** Try again; nobody needs to do anything. */
    RETRY,

    /** Unlock the client. */
    UNLOCK,

    /** Write something else. */
    CHANGE_THE_MESSAGE,

    /** Choose another recipient. */
    CHOOSE_ANOTHER_RECIPIENT,

    /** Free some space on the device. */
    FREE_SPACE,

    /** Enroll this device (again). */
    ENROLL,

    /** Update the app. */
    UPDATE_THE_APP,

    /** Ask whoever runs the organization's directory and relay. */
    ASK_THE_ADMINISTRATOR,

    /** A fault of the app or of Wardline. */
    ASK_THE_DEVELOPER,
}

/**
 * An error of Wardline. Catch this for all of them, or one of its classes for one domain.
 *
 * Decide by [code], which never changes its meaning, or by [recovery]. Show neither [detail] nor [message] to users:
 * they are for logs, in English, and name nobody.
 *
 * @property code the stable code, such as `WL-SEND-TOO-LONG`.
 * @property detail for a developer's log, without names, texts or secrets.
 * @property retryable whether the same call may succeed later without anybody doing anything.
 * @property recovery what a person or the app can do about it.
 */
public sealed class WardlineException(
    public val code: String,
    public val detail: String,
    public val retryable: Boolean,
    public val recovery: Recovery,
) : RuntimeException("$code: $detail")

/**
 * A message was not taken; nothing was kept of it.
 *
 * @property length bytes of the text, when it is too long.
 * @property limit what the policy allows, when it is too long.
 */
public class SendException internal constructor(facts: Facts, public val length: Long?, public val limit: Long?) :
    WardlineException(facts.code, facts.detail, facts.retryable, facts.recovery)

/** Nobody may read: unlock first. */
public class LockedException internal constructor(facts: Facts) :
    WardlineException(facts.code, facts.detail, facts.retryable, facts.recovery)

/** There is no device in this folder, or there is one already. */
public class EnrollmentException internal constructor(facts: Facts) :
    WardlineException(facts.code, facts.detail, facts.retryable, facts.recovery)

/** The organization had this device erased: nothing is left of it. */
public class WipedException internal constructor(facts: Facts) :
    WardlineException(facts.code, facts.detail, facts.retryable, facts.recovery)

/**
 * The passphrase is wrong or empty.
 *
 * @property attempts wrong ones since the last right one, as the key store counts them.
 */
public class PassphraseException internal constructor(facts: Facts, public val attempts: Int?) :
    WardlineException(facts.code, facts.detail, facts.retryable, facts.recovery)

/**
 * The platform's key store did not do its part.
 *
 * @property status the platform's own number, for support.
 */
public class KeyStoreException internal constructor(facts: Facts, public val status: Int?) :
    WardlineException(facts.code, facts.detail, facts.retryable, facts.recovery)

/**
 * The keys at rest refused: the file is missing, damaged, or of another version.
 *
 * @property found the format found, when a newer version wrote it.
 */
public class VaultException internal constructor(facts: Facts, public val found: Int?) :
    WardlineException(facts.code, facts.detail, facts.retryable, facts.recovery)

/**
 * The database refused.
 *
 * @property found the schema found, when a newer version wrote it.
 * @property known the newest schema that this version knows, when a newer version wrote it.
 */
public class StoreException internal constructor(facts: Facts, public val found: Int?, public val known: Int?) :
    WardlineException(facts.code, facts.detail, facts.retryable, facts.recovery)

/** The relay did not answer, or not in a way that makes sense. */
public class NetworkException internal constructor(facts: Facts) :
    WardlineException(facts.code, facts.detail, facts.retryable, facts.recovery)

/**
 * The relay refused.
 *
 * @property retryAfter try again after this long, when the relay says so.
 * @property limit the limit that was exceeded, when there is one.
 */
public class RelayException internal constructor(
    facts: Facts,
    public val retryAfter: Duration?,
    public val limit: Long?,
) : WardlineException(facts.code, facts.detail, facts.retryable, facts.recovery)

/**
 * The relay showed a directory that is not believed.
 *
 * @property held the head that is believed, when an older one was offered.
 * @property offered the head that was offered.
 */
public class DirectoryException internal constructor(facts: Facts, public val held: Long?, public val offered: Long?) :
    WardlineException(facts.code, facts.detail, facts.retryable, facts.recovery)

/**
 * A message proves nothing to whoever verifies it.
 *
 * @property reason what does not hold, in a stable word such as `revoked`.
 */
public class ProofException internal constructor(facts: Facts, public val reason: String) :
    WardlineException(facts.code, facts.detail, facts.retryable, facts.recovery)

/** There is no such message, conversation or device here. */
public class NotFoundException internal constructor(facts: Facts) :
    WardlineException(facts.code, facts.detail, facts.retryable, facts.recovery)

/**
 * An argument does not have the form it must have.
 *
 * @property name which one.
 */
public class ArgumentException internal constructor(facts: Facts, public val name: String) :
    WardlineException(facts.code, facts.detail, facts.retryable, facts.recovery)

/** The client, or the whole library, was shut down. */
public class ClosedException internal constructor(facts: Facts) :
    WardlineException(facts.code, facts.detail, facts.retryable, facts.recovery)

/** A view that was waited on was closed. (Cancelling a coroutine throws `CancellationException`, as everywhere.) */
public class WaitCancelledException internal constructor(facts: Facts) :
    WardlineException(facts.code, facts.detail, facts.retryable, facts.recovery)

/** The organization's signing side refused. */
public class AuthorityException internal constructor(facts: Facts) :
    WardlineException(facts.code, facts.detail, facts.retryable, facts.recovery)

/** A fault of Wardline, or something the operating system should not do. Report it. */
public class DefectException internal constructor(facts: Facts) :
    WardlineException(facts.code, facts.detail, facts.retryable, facts.recovery)

/** What every error has. */
internal data class Facts(val code: String, val detail: String, val retryable: Boolean, val recovery: Recovery)
