/*
 * The first screen: which conversations there are, what is unread, and the list that follows. And presence.
 */
package dev.wardline

import kotlinx.coroutines.async
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class ConversationsTest {
    @Test
    fun `the list says with whom what came last and what is unread`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        nurse.client.send(Person("DR-1"), "K 6.6 mmol/L", Priority.STAT)
        val sent = nurse.client.send(Team("team-1"), "rounds at nine")
        ward.settle(nurse, doctor)

        val page = doctor.client.conversations()
        val (team, direct) = page.conversations
        assertEquals(listOf(Team("team-1"), Person("NS-1")), listOf(team.recipient, direct.recipient))
        assertEquals(doctor.client.conversation(Person("NS-1")), direct.id)
        assertEquals(1L to Priority.STAT, direct.unread to direct.unreadPriority)
        assertEquals(sent to "NS-1", team.newest.id to team.newest.sender)
        assertEquals(Direction.INCOMING, team.newest.direction)
        assertEquals("rounds at nine", team.newest.preview)
        assertFalse("rounds" in team.toString())
        assertEquals(2, page.unread)
        assertEquals(2, doctor.client.unreadTotal())
        assertNull(page.before)

        val first = doctor.client.conversations(size = 1)
        assertEquals(listOf(team), first.conversations)
        assertEquals(listOf(direct), doctor.client.conversations(first.before, size = 2).conversations)

        doctor.client.lock()
        val locked = doctor.client.conversations()
        assertEquals(listOf(null, null), locked.conversations.map { it.newest.preview })
        assertEquals(2, locked.unread)
    }

    @Test
    fun `the list follows what happens and the lock`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val view = doctor.client.followConversations(size = 10)
        assertEquals(ConversationListSnapshot(emptyList(), 0), view.snapshot)
        val waiting = async { view.changed() }
        nurse.client.send(Person("DR-1"), "look here")
        ward.settle(nurse, doctor)
        val added = withTimeout(5000) { waiting.await() }
        assertEquals(listOf("look here"), added.added.map { it.newest.preview })
        assertEquals(1L to 1L, added.unread to view.snapshot.unread)

        doctor.client.markRead(doctor.page("NS-1").single())
        val read = withTimeout(5000) { view.changed() }
        assertEquals(listOf(0L), read.updated.map { it.unread })

        val screen = async { doctor.client.observeConversations().first { shown -> shown.preview() == null } }
        delay(50)
        doctor.client.lock()
        withTimeout(5000) { screen.await() }
        val again = async { doctor.client.observeConversations().first { shown -> shown.preview() == "look here" } }
        doctor.client.unlock(Passphrase(WORDS))
        withTimeout(5000) { again.await() }

        val changes = launch { view.changes().collect { } }
        val ending = launch { doctor.client.observeConversations().collect { } }
        delay(50)
        doctor.client.shutdown()
        withTimeout(5000) { listOf(changes, ending).forEach { it.join() } }
    }

    private fun ConversationListSnapshot.preview(): String? = conversations.single().newest.preview

    @Test
    fun `a message is named by its reference`() = onWard { ward ->
        val nurse = ward.enroll("NS-1")
        val doctor = ward.enroll("DR-1")
        val sent = listOf("one", "two").map { nurse.client.send(Person("DR-1"), it) }
        ward.settle(nurse, doctor)
        val (one, two) = sent.map { "${nurse.client.device}/$it" }
        val missing = "${doctor.client.device}/${sent[0]}"
        assertEquals(listOf("two", "one"), doctor.client.messages(listOf(two, missing, one)).map { it.text })
        assertNull(doctor.client.message(missing))

        val refused = refused<ArgumentException> { doctor.client.markRead(sent) }
        assertEquals("references", refused.name)
        doctor.client.lock()
        refused<LockedException> { doctor.client.message(one) }
    }

    @Test
    fun `presence unlocks once it is allowed and until it is forbidden`() = onWard { ward ->
        val memory = Memory()
        val nurse = ward.enroll("NS-1", keyStore = memory)
        nurse.client.send(Person("DR-1"), "still here")
        nurse.client.lock()
        refused<VaultException> { nurse.client.unlockByPresence() }
        nurse.client.allowPresence(Passphrase(WORDS))
        nurse.client.unlockByPresence()
        assertEquals(listOf("still here"), nurse.texts("DR-1"))

        nurse.client.lock()
        memory.mischief = { throw KeyStoreRefusal(KeyStoreProblem.DISMISSED) }
        val dismissed = refused<KeyStoreException> { nurse.client.unlockByPresence() }
        assertEquals("WL-VAULT-HOST-CANCELLED", dismissed.code)
        assertTrue(nurse.client.isLocked)
        memory.mischief = null
        nurse.client.unlockByPresence()
        nurse.client.forbidPresence()
        nurse.client.lock()
        refused<VaultException> { nurse.client.unlockByPresence() }
        nurse.client.unlock(Passphrase(WORDS))
    }
}
