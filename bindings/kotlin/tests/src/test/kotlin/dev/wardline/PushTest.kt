/*
 * Being woken: what an app registers reaches the relay, and nothing about a message its gateway.
 */
package dev.wardline

import dev.wardline.testing.WakeUp
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

private const val TOPIC = "fcm:example.app"

class PushTest {
    @Test
    fun `a sleeping device is woken by the token it registered`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        doctor.client.registerPush("doctor-token", TOPIC)
        nurse.client.send(Person("DR-1"), "K 6.6 mmol/L", Priority.STAT)
        nurse.client.syncOnce()
        assertEquals(WakeUp("doctor-token", TOPIC, "critical"), ward.relay.nextWakeUp())
        doctor.client.syncOnce()
        assertEquals(listOf("K 6.6 mmol/L"), doctor.texts("NS-1"))

        // Nobody is woken for the second message: the next wake-up is that of the third.
        doctor.client.unregisterPush()
        nurse.client.send(Person("DR-1"), "second")
        nurse.client.syncOnce()
        doctor.client.syncOnce()
        doctor.client.registerPush("new-token", TOPIC)
        nurse.client.send(Person("DR-1"), "third")
        nurse.client.syncOnce()
        assertEquals(WakeUp("new-token", TOPIC, "alert"), ward.relay.nextWakeUp())
    }

    @Test
    fun `a token that cannot be one is refused by its name`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        for ((token, topic, name) in listOf(
            Triple("", TOPIC, "token"),
            Triple("a\nb", TOPIC, "token"),
            Triple("a", "x".repeat(257), "topic"),
        )) {
            val refused = refused<ArgumentException> { nurse.client.registerPush(token, topic) }
            assertEquals(name, refused.name)
        }
    }
}
