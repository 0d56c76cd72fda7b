/*
 * A sample: a KeyStore on the Android Keystore. Copy it into the app and change what the app decides.
 *
 * Written down, not run and not compiled here: see ../ANDROID.md. Which key is for what stands in dev.wardline.KeyPurpose.
 */
package com.example.ward

import android.content.Context
import android.os.Build
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyPermanentlyInvalidatedException
import android.security.keystore.KeyProperties
import android.security.keystore.StrongBoxUnavailableException
import android.security.keystore.UserNotAuthenticatedException
import androidx.biometric.BiometricPrompt
import dev.wardline.KeyPurpose
import dev.wardline.KeyStore
import dev.wardline.KeyStoreProblem
import dev.wardline.KeyStoreRefusal
import java.security.GeneralSecurityException
import javax.crypto.AEADBadTagException
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec

/**
 * Wraps Wardline's keys under keys that the Android Keystore guards. [name] tells accounts apart: one for each person on
 * the phone. [ask] shows the biometric prompt for a cipher and returns it unlocked; it throws [KeyStoreRefusal] with
 * `DISMISSED` when the person taps it away and `REFUSED` when biometrics are locked out.
 */
class AndroidKeyStore(
    context: Context,
    private val name: String,
    private val ask: suspend (BiometricPrompt.CryptoObject) -> Cipher,
) : KeyStore {
    // `commit`, not `apply`: a counter that a power cut takes back invites guessing.
    private val counter = context.getSharedPreferences("wardline.$name", Context.MODE_PRIVATE)
    private val keys = java.security.KeyStore.getInstance("AndroidKeyStore").apply { load(null) }

    override suspend fun wrap(purpose: KeyPurpose, secret: ByteArray): ByteArray = refusing {
        val cipher = Cipher.getInstance(CIPHER)
        cipher.init(Cipher.ENCRYPT_MODE, key(purpose) ?: generate(purpose))
        val ready = unlocked(purpose, cipher)
        ready.iv + ready.doFinal(secret)
    }

    override suspend fun unwrap(purpose: KeyPurpose, wrapped: ByteArray): ByteArray = refusing {
        val key = key(purpose) ?: throw KeyStoreRefusal(KeyStoreProblem.NOT_MINE)
        if (wrapped.size <= IV) throw KeyStoreRefusal(KeyStoreProblem.NOT_MINE)
        val cipher = Cipher.getInstance(CIPHER)
        cipher.init(Cipher.DECRYPT_MODE, key, GCMParameterSpec(128, wrapped, 0, IV))
        unlocked(purpose, cipher).doFinal(wrapped, IV, wrapped.size - IV)
    }

    override suspend fun erase(purpose: KeyPurpose) = refusing { keys.deleteEntry(alias(purpose)) }

    override suspend fun attempts(): Int = counter.getInt(ATTEMPTS, 0)

    override suspend fun countAttempt(): Int {
        val count = attempts() + 1
        if (!counter.edit().putInt(ATTEMPTS, count).commit()) throw KeyStoreRefusal(KeyStoreProblem.FAILED)
        return count
    }

    override suspend fun resetAttempts() {
        counter.edit().putInt(ATTEMPTS, 0).commit()
    }

    private suspend fun unlocked(purpose: KeyPurpose, cipher: Cipher): Cipher =
        if (purpose == KeyPurpose.PRESENCE) ask(BiometricPrompt.CryptoObject(cipher)) else cipher

    private fun alias(purpose: KeyPurpose) = "wardline.$name.${purpose.name}"

    private fun key(purpose: KeyPurpose): SecretKey? = keys.getKey(alias(purpose), null) as SecretKey?

    private fun generate(purpose: KeyPurpose): SecretKey = try {
        generate(purpose, strongBox = Build.VERSION.SDK_INT >= Build.VERSION_CODES.P)
    } catch (_: StrongBoxUnavailableException) {
        generate(purpose, strongBox = false)
    }

    private fun generate(purpose: KeyPurpose, strongBox: Boolean): SecretKey {
        val uses = KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT
        val spec = KeyGenParameterSpec.Builder(alias(purpose), uses)
            .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
            .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
            .setKeySize(256)
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.P) {
            spec.setIsStrongBoxBacked(strongBox)
            // A locked phone receives with the inbox key; the others wait for its owner.
            spec.setUnlockedDeviceRequired(purpose != KeyPurpose.INBOX)
        }
        if (purpose == KeyPurpose.PRESENCE) {
            spec.setUserAuthenticationRequired(true)
            // Another finger enrolled later must not read: the passphrase is asked for again.
            spec.setInvalidatedByBiometricEnrollment(true)
        }
        val generator = KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, "AndroidKeyStore")
        generator.init(spec.build())
        return generator.generateKey()
    }

    private inline fun <T> refusing(work: () -> T): T = try {
        work()
    } catch (refusal: KeyStoreRefusal) {
        throw refusal
    } catch (error: KeyPermanentlyInvalidatedException) {
        throw KeyStoreRefusal(KeyStoreProblem.NOT_MINE, cause = error)
    } catch (error: UserNotAuthenticatedException) {
        throw KeyStoreRefusal(KeyStoreProblem.UNAVAILABLE, cause = error)
    } catch (error: AEADBadTagException) {
        throw KeyStoreRefusal(KeyStoreProblem.NOT_MINE, cause = error)
    } catch (error: GeneralSecurityException) {
        throw KeyStoreRefusal(KeyStoreProblem.FAILED, cause = error)
    }

    private companion object {
        const val CIPHER = "AES/GCM/NoPadding"
        const val IV = 12
        const val ATTEMPTS = "attempts"
    }
}
