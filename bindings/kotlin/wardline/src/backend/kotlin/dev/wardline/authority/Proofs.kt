/*
 * Verifying, offline and with public keys only, who wrote a message that was handed to an outsider.
 *
 * Making such a file is a device's: dev.wardline.exportProof.
 */
package dev.wardline.authority

import dev.wardline.internal.lent
import dev.wardline.internal.native
import dev.wardline.internal.time
import java.time.Instant
import dev.wardline.ffi.verifyProof as nativeVerify

/**
 * What a proof that holds says.
 *
 * @property organization the organization that stands behind the author's device.
 * @property author who wrote it.
 * @property displayName what the organization calls them.
 * @property device on which device.
 * @property deviceLabel what that calls itself.
 * @property writtenAt when, by the author's clock.
 * @property text what it said first; of a type other than a text, what anybody can read of it.
 * @property corrections what it was corrected to, in the order in which the corrections stand.
 * @property headVersion the version of the directory head that it is proven under.
 * @property headIssuedAt when that was made, by the authority's clock.
 */
public data class ProvenMessage(
    val organization: String,
    val author: String,
    val displayName: String,
    val device: String,
    val deviceLabel: String,
    val writtenAt: Instant,
    val text: String,
    val corrections: List<ProvenCorrection>,
    val headVersion: Long,
    val headIssuedAt: Instant,
) {
    /** Shows which head, nothing of what was written, and by whom. */
    override fun toString(): String = "ProvenMessage(device=$device, headVersion=$headVersion)"
}

/**
 * A correction by the author of a message.
 *
 * @property device on which device of theirs.
 * @property writtenAt when, by that device's clock.
 * @property text what the message said from then on.
 * @property reason why; may be empty.
 */
public data class ProvenCorrection(val device: String, val writtenAt: Instant, val text: String, val reason: String) {
    /** Shows when, nothing of what was written. */
    override fun toString(): String = "ProvenCorrection(writtenAt=$writtenAt)"
}

/** Proofs that devices have exported. */
public object Proofs {
    /**
     * What a proof says, if it holds for whoever believes the root document with the hash [root]: the one that apps pin, or
     * any later one that the proof leads over.
     *
     * @throws dev.wardline.ProofException when it does not hold.
     */
    @JvmStatic
    public fun verify(proof: ByteArray, root: String): ProvenMessage = lent(proof) { bytes ->
        native {
            val proven = nativeVerify(bytes, root)
            ProvenMessage(
                organization = proven.organization,
                author = proven.author,
                displayName = proven.displayName,
                device = proven.device,
                deviceLabel = proven.deviceLabel,
                writtenAt = time(proven.writtenAtMs),
                text = proven.text,
                corrections = proven.corrections.map {
                    ProvenCorrection(it.device, time(it.writtenAtMs), it.text, it.reason)
                },
                headVersion = proven.headVersion.toLong(),
                headIssuedAt = time(proven.headIssuedAtMs),
            )
        }
    }
}
