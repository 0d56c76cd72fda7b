/*
 * The exceptions of this package for the errors of the native library.
 */
package dev.wardline.internal

import dev.wardline.ArgumentException
import dev.wardline.AuthorityException
import dev.wardline.ClosedException
import dev.wardline.DefectException
import dev.wardline.DirectoryException
import dev.wardline.EnrollmentException
import dev.wardline.Facts
import dev.wardline.KeyStoreException
import dev.wardline.LockedException
import dev.wardline.NetworkException
import dev.wardline.NotFoundException
import dev.wardline.PassphraseException
import dev.wardline.ProofException
import dev.wardline.Recovery
import dev.wardline.RelayException
import dev.wardline.SendException
import dev.wardline.StoreException
import dev.wardline.VaultException
import dev.wardline.WaitCancelledException
import dev.wardline.WardlineException
import dev.wardline.WipedException
import dev.wardline.ffi.Recovery as NativeRecovery
import dev.wardline.ffi.WardlineException as NativeException

internal fun exception(error: NativeException): WardlineException = when (error) {
    is NativeException.Send ->
        SendException(facts(error.code, error.detail, error.retryable, error.recovery), error.length.long(), error.limit.long())
    is NativeException.Locked ->
        LockedException(facts(error.code, error.detail, error.retryable, error.recovery))
    is NativeException.Enrollment ->
        EnrollmentException(facts(error.code, error.detail, error.retryable, error.recovery))
    is NativeException.Wiped ->
        WipedException(facts(error.code, error.detail, error.retryable, error.recovery))
    is NativeException.PassphraseRefused ->
        PassphraseException(facts(error.code, error.detail, error.retryable, error.recovery), error.attempts?.toInt())
    is NativeException.KeyStore ->
        KeyStoreException(facts(error.code, error.detail, error.retryable, error.recovery), error.status)
    is NativeException.Vault ->
        VaultException(facts(error.code, error.detail, error.retryable, error.recovery), error.found?.toInt())
    is NativeException.Store ->
        StoreException(facts(error.code, error.detail, error.retryable, error.recovery), error.found?.toInt(), error.known?.toInt())
    is NativeException.Network ->
        NetworkException(facts(error.code, error.detail, error.retryable, error.recovery))
    is NativeException.Relay ->
        RelayException(facts(error.code, error.detail, error.retryable, error.recovery), duration(error.retryAfterMs), error.limit.long())
    is NativeException.Directory ->
        DirectoryException(facts(error.code, error.detail, error.retryable, error.recovery), error.held.long(), error.offered.long())
    is NativeException.Proof ->
        ProofException(facts(error.code, error.detail, error.retryable, error.recovery), error.reason)
    is NativeException.NotFound ->
        NotFoundException(facts(error.code, error.detail, error.retryable, error.recovery))
    is NativeException.Argument ->
        ArgumentException(facts(error.code, error.detail, error.retryable, error.recovery), error.name)
    is NativeException.Closed ->
        ClosedException(facts(error.code, error.detail, error.retryable, error.recovery))
    is NativeException.Cancelled ->
        WaitCancelledException(facts(error.code, error.detail, error.retryable, error.recovery))
    is NativeException.Authority ->
        AuthorityException(facts(error.code, error.detail, error.retryable, error.recovery))
    is NativeException.Defect ->
        DefectException(facts(error.code, error.detail, error.retryable, error.recovery))
}

/** For what should not have happened. */
internal fun defect(detail: String): DefectException =
    DefectException(Facts("WL-DEFECT", detail, false, Recovery.ASK_THE_DEVELOPER))

/** For a string that is no text: it cannot be written as UTF-8. */
internal fun notText(): ArgumentException = unfit("text", "a string has half of a surrogate pair")

/** For a value that the library cannot be given. */
internal fun unfit(name: String, detail: String): ArgumentException =
    ArgumentException(Facts("WL-ARGUMENT", detail, false, Recovery.ASK_THE_DEVELOPER), name)

private fun facts(code: String, detail: String, retryable: Boolean, recovery: NativeRecovery) =
    Facts(code, detail, retryable, Recovery.valueOf(recovery.name))

private fun ULong?.long(): Long? = this?.toLong()
