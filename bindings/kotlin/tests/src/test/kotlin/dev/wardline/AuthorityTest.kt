/*
 * The signing side: vouching for devices, and replacing keys.
 */
package dev.wardline

import dev.wardline.authority.Authority
import dev.wardline.authority.AuthoritySecrets
import dev.wardline.authority.PersonDetails
import dev.wardline.authority.StateStore
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.IOException

class AuthorityTest {
    @Test
    fun `a second device is unvouched until the first vouches`() = onWard { ward ->
        val phone = ward.enroll("NS-1").client
        val tablet = ward.enroll("NS-1").client

        suspend fun vouched(): Map<String, Boolean> {
            phone.ownDevices()
            repeat(2) { phone.syncOnce() }
            return phone.ownDevices().associate { it.device to it.isVouched }
        }

        assertEquals(mapOf(phone.device to true, tablet.device to false), vouched())
        assertEquals("WL-NO-SUCH-DEVICE", refused<NotFoundException> { phone.vouch(phone.device) }.code)
        val statement = phone.vouch(tablet.device)
        assertTrue(ward.authority.admitVouch(statement))
        assertFalse(ward.authority.admitVouch(statement))
        ward.publish()
        phone.syncOnce()
        assertEquals(mapOf(phone.device to true, tablet.device to true), vouched())
        assertTrue(ward.authority.person("NS-1")!!.devices.all { it.isVouched })
        assertFalse("test" in phone.ownDevices().toString())
        val forged = refused<AuthorityException> { ward.authority.admitVouch(ByteArray(0)) }
        assertEquals("WL-AUTHORITY-ENTRY", forged.code)
    }

    @Test
    fun `keys are replaced and devices follow`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val fresh = AuthoritySecrets.generate(rootKeys = 2)
        val pin = ward.authority.pin()
        ward.authority.upsertPerson(PersonDetails("NS-2", "Another nurse"))
        val forgetful = StateStore { throw IOException("the disk is full") }
        refused<AuthorityException> { ward.authority.publish(RELAY, ward.relay.transport(), forgetful) }
        val unsettled = refused<AuthorityException> { ward.authority.rotate(ward.secrets, fresh, 2) }
        assertEquals("WL-AUTHORITY-UNSETTLED", unsettled.code)
        ward.publish()
        val alien = AuthoritySecrets.generate(rootKeys = 1)
        assertEquals(
            "WL-AUTHORITY-ROOT",
            refused<AuthorityException> { ward.authority.rotate(alien, fresh, 2) }.code,
        )
        ward.authority.rotate(ward.secrets, fresh, 2)
        ward.publish()
        assertEquals(pin, ward.authority.pin())
        Authority.restore(ward.authority.snapshot(), fresh.withoutRoot())
        ward.settle(nurse, doctor)
        nurse.client.send(Person("DR-1"), "under the new keys")
        ward.settle(nurse, doctor)
        assertEquals(listOf("under the new keys"), doctor.texts("NS-1"))
    }
}
