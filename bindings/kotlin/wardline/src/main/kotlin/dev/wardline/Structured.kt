/*
 * Messages with typed fields, which any client can show as text.
 */
package dev.wardline

import dev.wardline.internal.lowered
import dev.wardline.internal.native
import java.time.Instant

/**
 * What a structured message says: pass it to [Client.send], find it in [Message.structured]. Fields that may be missing are
 * empty. Its `toString` shows nothing of what was written.
 */
public sealed interface Structured

/**
 * A handoff: `wardline.sbar/1`.
 *
 * @property situation what is happening; not empty.
 * @property background what led to it.
 * @property assessment what the author makes of it.
 * @property recommendation what the author asks for.
 */
public data class Sbar @JvmOverloads constructor(
    val situation: String,
    val background: String = "",
    val assessment: String = "",
    val recommendation: String = "",
) : Structured {
    /** Shows nothing. */
    override fun toString(): String = "Sbar(...)"
}

/**
 * A critical result: `wardline.critical-result/1`. Its test, by name or code, and its value are not empty. It asks for an
 * answer, and nobody accepts it without reading it back.
 *
 * @property testName what was measured, as people say it.
 * @property value the value, as the laboratory writes it.
 * @property unit its unit, such as `mmol/L`.
 * @property testCode what was measured, as systems say it, such as the LOINC code `2823-3`.
 * @property referenceRange what is normal, such as `3.5-5.0`.
 * @property abnormalFlag how abnormal it is, in the letters of HL7 table 0078 such as `HH`.
 * @property specimenAt when the specimen was taken.
 */
public data class CriticalResult @JvmOverloads constructor(
    val testName: String,
    val value: String,
    val unit: String = "",
    val testCode: String = "",
    val referenceRange: String = "",
    val abnormalFlag: String = "",
    val specimenAt: Instant? = null,
) : Structured {
    /** Shows nothing. */
    override fun toString(): String = "CriticalResult(...)"
}

/**
 * An order by text: `wardline.order/1`. It asks for an answer, and nobody accepts it without reading it back.
 *
 * @property what what is ordered; not empty.
 * @property orderedBy who orders it: the author, or whom the author writes for. Only the author is proven.
 * @property dose how much.
 * @property route which way.
 * @property frequency how often.
 */
public data class Order @JvmOverloads constructor(
    val what: String,
    val orderedBy: String,
    val dose: String = "",
    val route: String = "",
    val frequency: String = "",
) : Structured {
    /** Shows nothing. */
    override fun toString(): String = "Order(...)"
}

/**
 * A type of somebody else's. The message needs a text besides, which every app shows.
 *
 * @property typeUri the vendor's domain, a name and a version: `vendor.example.com/form/1`.
 * @property body what only the vendor's apps read, at most 64 KiB.
 */
public class VendorContent(public val typeUri: String, public val body: ByteArray) : Structured {
    /** Equal when type and bytes are. */
    override fun equals(other: Any?): Boolean =
        other is VendorContent && other.typeUri == typeUri && other.body.contentEquals(body)

    /** Of type and bytes. */
    override fun hashCode(): Int = 31 * typeUri.hashCode() + body.contentHashCode()

    /** Shows nothing of the body. */
    override fun toString(): String = "VendorContent(...)"
}

/**
 * A device of a person.
 *
 * @property user the person.
 * @property device the device.
 */
public data class PersonDevice(val user: String, val device: String)

/**
 * The recipients' devices whose software does not know a type of content, such as `wardline.order/1`: they show the text
 * alone. Vendors' types are known to apps, not to Wardline: every device is without them. Null when the directory has to be
 * asked first: the next round does so.
 */
public suspend fun Client.devicesWithout(recipient: Recipient, typeUri: String): List<PersonDevice>? = native {
    inside.devicesWithout(recipient.lowered(), typeUri)?.map { PersonDevice(it.user, it.device) }
}
