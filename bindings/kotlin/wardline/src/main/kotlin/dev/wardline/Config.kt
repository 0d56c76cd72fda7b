/*
 * What a device is opened with.
 */
package dev.wardline

import java.io.File
import java.time.Duration

/**
 * Where a device is, whom it believes, what carries its calls and wraps its keys.
 *
 * @property folder the device's own folder, made when there is none; one for each person and device.
 * @property organization the organization's id.
 * @property root the hash of the organization's first root document, 64 hexadecimal digits, shipped with the app.
 * @property relay the relay's name, as its operator set it.
 * @property transport carries calls to the relay.
 * @property keyStore wraps the keys at rest.
 * @property passphraseCost what a passphrase costs to try, for new devices; the recommended cost when null.
 * @property transportTimeout how long the transport may take for one call; 75 seconds when null.
 * @property keyStoreTimeout how long the key store may take for one call, prompts included; two minutes when null.
 */
public data class Config @JvmOverloads constructor(
    val folder: File,
    val organization: String,
    val root: String,
    val relay: String,
    val transport: Transport,
    val keyStore: KeyStore,
    val passphraseCost: PassphraseCost? = null,
    val transportTimeout: Duration? = null,
    val keyStoreTimeout: Duration? = null,
)

/**
 * What one guess at a passphrase costs (Argon2id).
 *
 * @property memoryKib memory in KiB; at least 19,456.
 * @property passes passes over it; at least 2.
 * @property lanes lanes; at least 1.
 */
public data class PassphraseCost(val memoryKib: Int, val passes: Int, val lanes: Int)
