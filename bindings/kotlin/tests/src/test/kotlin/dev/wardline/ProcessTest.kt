/*
 * The life of a process: killed, ended without closing, ended in the middle of a call, more than one on a folder.
 *
 * Children run this class path with a class of Children.kt.
 */
package dev.wardline

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File
import java.util.concurrent.TimeUnit

class ProcessTest {
    // scenario: kill-and-reopen
    @Test
    fun `a process that is killed has lost nothing it answered`() = onWard { ward ->
        val doctor = ward.enroll("DR-1")
        val ticket = ward.authority.mintTicket("NS-1")
        val config = ward.config("killed")
        val child = child("sends", config.folder.path, config.root, ward.relay.listen(), ticket)
        val sent = child.inputStream.bufferedReader().readLine()
        child.destroyForcibly().waitFor()

        ward.publish()
        Client.open(config).use { nurse ->
            nurse.syncOnce()
            repeat(2) { doctor.client.syncOnce() }
        }
        assertEquals(listOf(sent to "last words"), doctor.page("NS-1").map { it.id to it.text })
    }

    // scenario: second-process
    @Test
    fun `a second process on one folder receives for the first`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val config = ward.config("shared")
        val doctor = Client.enroll(config, "DR-1", ward.authority.mintTicket("DR-1"), Passphrase(WORDS))
        ward.publish()
        doctor.syncOnce()
        nurse.client.send(Person("DR-1"), "to whoever fetches it")
        nurse.client.syncOnce()
        val child = child("receives", config.folder.path, config.root, ward.relay.listen())
        assertEquals("1 locked", child.inputStream.bufferedReader().readLine())
        assertEquals(0, ended(child))

        doctor.syncOnce()
        val page = doctor.timeline(doctor.conversation(Person("NS-1")))
        assertEquals(listOf("to whoever fetches it"), page.messages.map { it.text })
        doctor.shutdown()
    }

    @Test
    fun `a process that ends without closing ends well`() = inFolder { folder ->
        val child = child("forgets", folder.path)
        assertEquals("ended", child.inputStream.bufferedReader().readText().trim())
        assertEquals(0, ended(child))
    }

    @Test
    fun `a process that ends in the middle of calls ends well`() = inFolder { folder ->
        val child = child("exits", folder.path)
        assertEquals("ended", child.inputStream.bufferedReader().readText().trim())
        assertEquals(0, ended(child))
    }

    @Test
    fun `the last reference may go on another thread`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        nurse.client.start()
        ward.forget(nurse)
        val holder = arrayOf<Device?>(nurse)
        val thread = Thread {
            holder[0] = null
            System.gc()
        }
        thread.start()
        thread.join(10_000)
        assertFalse(thread.isAlive)
    }

    @Test
    fun `the example runs`() {
        val child = java("FirstMessageKt")
        val said = child.inputStream.bufferedReader().readText()
        assertEquals(0, ended(child)) { said }
        assertTrue("doctor reads: K 6.6 mmol/L" in said && "read by DR-1" in said) { said }
    }

    private fun child(vararg arguments: String): Process = java("dev.wardline.ChildrenKt", *arguments)

    private fun java(main: String, vararg arguments: String): Process {
        val java = File(System.getProperty("java.home"), "bin/java").path
        val path = System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")
        // Little for each: several of them run on a small machine.
        return ProcessBuilder(listOf(java, "-Xmx256m", "-XX:+UseSerialGC", "-Xshare:auto", "-cp", path, main) + arguments)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start()
    }

    private fun ended(child: Process): Int {
        assertTrue(child.waitFor(60, TimeUnit.SECONDS)) { "it did not end" }
        return child.exitValue()
    }
}
