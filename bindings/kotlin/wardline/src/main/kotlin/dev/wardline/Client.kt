/*
 * One device of one person.
 *
 * What goes in and out stands in Model.kt and Events.kt, errors in Errors.kt; the work is done in the native library.
 */
package dev.wardline

import dev.wardline.internal.answer
import dev.wardline.internal.conversationPage
import dev.wardline.internal.delivery
import dev.wardline.internal.event
import dev.wardline.internal.lowered
import dev.wardline.internal.message
import dev.wardline.internal.messages
import dev.wardline.internal.millis
import dev.wardline.internal.native
import dev.wardline.internal.number
import dev.wardline.internal.pending
import dev.wardline.internal.status
import dev.wardline.internal.time
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import java.time.Duration
import java.time.Instant
import dev.wardline.ffi.Client as NativeClient
import dev.wardline.ffi.Draft as NativeDraft
import dev.wardline.ffi.RelayResponse as NativeResponse

/**
 * One device of one person: its store, its keys, its line to the relay.
 *
 * Open it with [open] or [enroll] and keep one for each device. Every method may be called from any thread and any
 * coroutine; suspending ones never block the thread they are called on, and cancelling their coroutine gives the call
 * up. What is sent is durable when [send] returns; [start] or [syncOnce] carry it.
 *
 * Java callers: [dev.wardline.future.FutureClient].
 */
public class Client internal constructor(internal val inside: NativeClient) : AutoCloseable {
    /** The person this device belongs to. */
    public val user: String get() = native { inside.user() }

    /** This device. */
    public val device: String get() = native { inside.device() }

    /**
     * The devices of this person that this device knows of, revoked ones included, in the order in which they were
     * admitted. An active one that is not vouched is a reason to ask the person. What changed since the last round is
     * asked for by the next one.
     */
    public suspend fun ownDevices(): List<OwnDevice> = native {
        inside.ownDevices().map {
            OwnDevice(it.device, it.label, time(it.enrolledAtMs), it.revokedAtMs?.let(::time), it.vouched)
        }
    }

    /**
     * Says that another device of this person is theirs: call it once the person has compared both. Hand the statement to
     * the organization's backend, for `Authority.admitVouch`; it is no secret.
     */
    public suspend fun vouch(device: String): ByteArray = native { inside.vouch(device) }

    // Writing and reading.

    /**
     * Takes a message and returns its id: it is on disk then and will be sent, whatever happens to the process or the
     * network.
     *
     * Sending twice with one [idempotencyKey] (at most 128 bytes) sends once, also after a restart: use one where the
     * coroutine may be cancelled, because then it is not known whether the message was taken.
     *
     * [answerWithin] asks for an [answer] by then; a stat message asks for one by itself, without a time. [occurredAt] is
     * when what it tells of happened, a laboratory result, say. [replyTo] is the reference of a message of the same
     * conversation. [structured] gives it typed fields: the text is then what devices show that do not know their type, and
     * is made of the fields when it is empty. [offers] are short texts that a recipient may answer with as they are, by
     * [replyWith]: at most 8, each one line of at most 160 bytes and none twice.
     *
     * [escalate] says who is given it when nobody has accepted it in time, tier after tier, at most 8. It needs no phone for
     * that: the relay holds what they are given, sealed, from when it has the message. A decline brings the next tier at
     * once, an acceptance stops all later ones. [lifetime] says for how long it may be read; the policy's limit holds.
     *
     * @throws SendException when the message was not taken; nothing was kept of it.
     */
    public suspend fun send(
        recipient: Recipient,
        text: String = "",
        priority: Priority = Priority.ROUTINE,
        patient: Patient? = null,
        idempotencyKey: String? = null,
        answerWithin: Duration? = null,
        occurredAt: Instant? = null,
        replyTo: String? = null,
        structured: Structured? = null,
        offers: List<String> = emptyList(),
        escalate: List<EscalationTier> = emptyList(),
        lifetime: Lifetime? = null,
    ): String = native {
        inside.send(
            NativeDraft(
                recipient = recipient.lowered(),
                text = text,
                priority = priority.lowered(),
                patient = patient?.lowered(),
                occurredAtMs = occurredAt?.let { millis("occurredAt", it) },
                answerWithinMs = answerWithin?.let { millis("answerWithin", it) },
                replyTo = replyTo,
                idempotencyKey = idempotencyKey,
                structured = structured?.lowered(),
                offers = offers,
                escalate = escalate.map { it.lowered() },
                lifetime = lifetime?.lowered(),
            ),
        )
    }

    /** The conversation that this person shares with a recipient. */
    public fun conversation(recipient: Recipient): String = native { inside.conversation(recipient.lowered()) }

    /**
     * A page of a conversation, ending before [before] or with the newest message.
     *
     * @throws LockedException when nobody may read.
     */
    public suspend fun timeline(conversation: String, before: Long? = null, size: Int = PAGE): Page = native {
        val page = inside.timeline(conversation, before, number("size", size))
        Page(messages(page.messages), page.before)
    }

    /**
     * Messages by reference, in the order asked: what an event has announced, say. Those that are not on this device are
     * left out.
     */
    public suspend fun messages(references: List<String>): List<Message> = native {
        messages(inside.messages(references))
    }

    /** The message that an event has announced; null when it is not on this device any more. */
    public suspend fun message(reference: String): Message? = messages(listOf(reference)).firstOrNull()

    /** How a message of this device stands with everybody it went to; [message] is what [send] returned. */
    public suspend fun deliveries(message: String): List<PersonDelivery> = native {
        inside.deliveries(message).map(::delivery)
    }

    /**
     * Notes that a person has opened messages, here; their authors get a signed receipt. A preview in a notification or in
     * a list is not an opening.
     */
    public suspend fun markRead(vararg messages: Message): Unit = markRead(messages.map { it.reference })

    /** [markRead], of messages by their references. */
    public suspend fun markRead(references: List<String>): Unit = native { inside.markRead(references) }

    /** [answer], of a message that is at hand. */
    public suspend fun answer(message: Message, verdict: Verdict, readBack: String = ""): String =
        answer(message.reference, verdict, readBack)

    /**
     * Accepts or declines a message that asks for it, with what was understood or why not. Everybody in the conversation
     * learns of it; answering is reading. A person may change their mind: the last answer stands. Durable when it returns;
     * returns the id of the answer, which [deliveries] knows.
     *
     * @throws SendException when it does not ask, when this person wrote it, or when its sender was revoked.
     */
    public suspend fun answer(reference: String, verdict: Verdict, readBack: String = ""): String = native {
        inside.answer(reference, verdict.lowered(), readBack)
    }

    /**
     * Every answer to a message that counts, oldest first; the last one of a person stands. [message] is a reference, or
     * what [send] returned on this device.
     */
    public suspend fun answers(message: String): List<Answer> = native { inside.answers(message).map(::answer) }

    /**
     * Messages that ask for an answer which nobody has given yet, the most urgent first, then by their deadlines.
     */
    public suspend fun openItems(which: OpenItems, limit: Int = PAGE): List<Message> = native {
        messages(inside.openItems(which.lowered(), number("limit", limit)))
    }

    /**
     * Takes a message of this person back, with a reason that everybody in the conversation can read: its text is gone from
     * here at once, from devices that are online in a moment, from others before they show it. What has become of it on each
     * device is in [deliveries]. [message] is a reference, or what [send] returned on this device.
     *
     * A device that was shown it may have been read, photographed or backed up; what a recall means is each device's own
     * word.
     *
     * @throws SendException when somebody else wrote it, or after the policy's time.
     */
    public suspend fun recall(message: String, reason: String = ""): Unit = native { inside.recall(message, reason) }

    /** How many messages of a conversation nobody has opened yet. */
    public suspend fun unread(conversation: String): Long = native { inside.unread(conversation).toLong() }

    /** How many messages nobody has opened yet, in all conversations: what an app's badge shows. */
    public suspend fun unreadTotal(): Long = native { inside.unreadTotal().toLong() }

    /**
     * A page of the list of conversations: those whose newest message is older than [before], or the first ones, the
     * newest first. Works while locked; only the previews are missing then.
     *
     * A conversation in which somebody has only begun to write is not on the list. One that gets a message between two
     * pages moves to the front: it is on the first page when that is asked for again.
     */
    public suspend fun conversations(before: Long? = null, size: Int = PAGE): ConversationPage = native {
        conversationPage(inside.conversations(before, number("size", size)))
    }

    /** Looks for messages: all words must occur, the last one may be unfinished. Newest first. */
    public suspend fun search(
        text: String,
        conversation: String? = null,
        before: Long? = null,
        limit: Int = PAGE,
    ): List<Message> = native {
        inside.search(text, conversation, before, number("limit", limit)).map(::message)
    }

    /** Keeps what somebody has begun to write; an empty text removes it. */
    public suspend fun saveDraft(recipient: Recipient, text: String): Unit = native {
        inside.saveDraft(recipient.lowered(), text)
    }

    /** What somebody has begun to write. */
    public suspend fun draft(conversation: String): String? = native { inside.draft(conversation) }

    // Live views.

    /** Follows the newest [size] messages of a conversation. Close the view when it is no longer shown. */
    public suspend fun follow(conversation: String, size: Int = PAGE): TimelineView = native {
        TimelineView(inside.follow(conversation, number("size", size)))
    }

    /**
     * The newest [size] messages of a conversation: what they are now, and again whenever they change.
     *
     * A slow collector misses intermediate states, never the last one. The flow ends when the client is closed, and with
     * [LockedException] as soon as the client is locked: clear the screen, and collect again after [unlock].
     */
    public fun observe(conversation: String, size: Int = PAGE): Flow<TimelineSnapshot> = flow {
        untilClosed {
            follow(conversation, size).use { view ->
                while (true) {
                    emit(view.snapshot)
                    view.changed()
                }
            }
        }
    }

    /**
     * Follows the [size] conversations with the newest messages: an app's first screen. Works while locked; previews come
     * with the unlock and go with the lock. Close the view when it is no longer shown.
     */
    public suspend fun followConversations(size: Int = PAGE): ConversationListView = native {
        ConversationListView(inside.followConversations(number("size", size)))
    }

    /**
     * The [size] conversations with the newest messages: what they are now, and again whenever they change. It goes on
     * while locked, without previews, and ends when the client is closed.
     */
    public fun observeConversations(size: Int = PAGE): Flow<ConversationListSnapshot> = flow {
        untilClosed {
            followConversations(size).use { view ->
                while (true) {
                    emit(view.snapshot)
                    view.changed()
                }
            }
        }
    }

    // What the app is told.

    /**
     * What happens, oldest first, pulled from the library in batches of [batch]. It ends when the client is closed.
     *
     * Events come at least once. Those of a batch are confirmed when the collector has taken all of them, and come again
     * when it ends before. With a `buffer` between, a collector has "taken" what it has not seen: pass
     * `confirm = false` then, and call [confirm] when an event has been dealt with.
     *
     * One collector is enough for a device. Several see the same events, unless another one has confirmed them.
     */
    public fun events(batch: Int = BATCH, confirm: Boolean = true): Flow<Event> = flow {
        eventBatches(batch, confirm).collect { events -> events.forEach { emit(it) } }
    }

    /** [events], a batch at a time, for apps that deal with many in one transaction of their own. */
    public fun eventBatches(batch: Int = BATCH, confirm: Boolean = true): Flow<List<Event>> = flow {
        var cursor = 0L
        untilClosed {
            while (true) {
                val events = nextEvents(cursor, batch)
                val last = events.lastOrNull() ?: continue
                emit(events)
                if (confirm) confirm(last)
                cursor = last.cursor
            }
        }
    }

    /** The events after a cursor (0 at first) that are there now, oldest first, at most [limit]. */
    public suspend fun eventsFrom(cursor: Long = 0, limit: Int = BATCH): List<Event> = native {
        inside.eventsFrom(number("cursor", cursor), number("limit", limit)).map(::event)
    }

    /** Waits until there are events after a cursor (0 at first) and returns them, oldest first, at most [limit]. */
    public suspend fun nextEvents(cursor: Long = 0, limit: Int = BATCH): List<Event> = native {
        inside.nextEvents(number("cursor", cursor), number("limit", limit), null).map(::event)
    }

    /** Confirms an event and all before it: they will not come again. */
    public suspend fun confirm(event: Event): Unit = native {
        inside.confirmEvents(number("event", event.cursor))
    }

    // The line to the relay.

    /**
     * Starts the loop: messages arrive by long poll, what is sent leaves at once, failures are retried with growing
     * pauses. A second call does nothing.
     */
    public fun start(): Unit = native { inside.start() }

    /** Stops the loop. */
    public fun stop(): Unit = native { inside.stop() }

    /**
     * One full round: sends what can be sent, fetches everything that waits, sends receipts. A round that is given up loses
     * nothing: the next one goes on.
     */
    public suspend fun syncOnce(): Round = native {
        val round = inside.syncOnce(null)
        Round(round.posted.toLong(), round.received.toLong(), round.waiting.toLong())
    }

    /**
     * Tells of everything that is due (the events [MessageReminder] and [AnswerOverdue], notices of an [Inbox]), and answers
     * when to call again, if anything waits. The loop and [syncOnce] do it by themselves; an app that is about to be
     * suspended asks, to set the system's alarm. Works while locked and without a line.
     */
    public suspend fun remind(): Instant? = native { inside.remind()?.let(::time) }

    /** What to ask the relay now, for a host that carries calls itself. */
    public suspend fun pendingRequests(): List<PendingRequest> = native { inside.pendingRequests().map(::pending) }

    /** Takes in the answer to a pending request, named by its id. */
    public suspend fun complete(request: String, response: RelayResponse): Unit = native {
        inside.complete(request, NativeResponse(status(response.status), response.body))
    }

    // Keys.

    /** Whether nobody can read. A closed client is locked. */
    public val isLocked: Boolean get() = native { inside.isLocked() }

    /** Whether the organization had this device erased: every call throws [WipedException] then. */
    public val isWiped: Boolean get() = native { inside.isWiped() }

    /**
     * Opens what a person reads; returns how many wrong passphrases were tried since the last right one. Costs about a
     * second on a phone.
     *
     * @throws PassphraseException when the passphrase is wrong.
     */
    public suspend fun unlock(passphrase: Passphrase): Int = native { inside.unlock(passphrase.inside).toInt() }

    /**
     * [unlock] for a person whom the platform recognizes, by a finger or a face, once [allowPresence] was called. The
     * platform may prompt.
     *
     * @throws KeyStoreException when it refuses, also because somebody enrolled another finger since: ask for the
     *   passphrase.
     */
    public suspend fun unlockByPresence(): Unit = native { inside.unlockByPresence() }

    /** Lets presence open what a person reads from now on, besides the passphrase. */
    public suspend fun allowPresence(passphrase: Passphrase): Unit = native {
        inside.allowPresence(passphrase.inside)
    }

    /** Takes presence back: from now on only the passphrase opens what a person reads. */
    public suspend fun forbidPresence(): Unit = native { inside.forbidPresence() }

    /** Drops the reading keys and closes the search index. Receiving goes on. Views that show texts are told at once. */
    public fun lock(): Unit = native { inside.lock() }

    /** Replaces the passphrase; messages stay as they are. */
    public suspend fun changePassphrase(old: Passphrase, new: Passphrase): Unit = native {
        inside.changePassphrase(old.inside, new.inside)
    }

    /** Encrypts the store anew under a new inbox key. */
    public suspend fun rekey(): Unit = native { inside.rekey() }

    // Being woken.

    /**
     * Asks the relay to have this device woken for what arrives while it is not connected. [token] is what the platform's
     * push service handed out; [topic] tells the relay's push gateway which service and app it is of, such as
     * `fcm:example.mercy.ward`. Call it whenever the platform hands out a token. A wake-up is a hint: fetch with [syncOnce].
     */
    public suspend fun registerPush(token: String, topic: String): Unit = native { inside.registerPush(token, topic) }

    /** Asks the relay to wake this device no more, when somebody signs out, say. */
    public suspend fun unregisterPush(): Unit = native { inside.unregisterPush() }

    // Its life.

    /** Finishes what is being written and lets go of every file, so that the system may suspend the process. */
    public suspend fun suspend(): Unit = native { inside.suspend() }

    /** Takes up the files again after [suspend]. */
    public suspend fun resume(): Unit = native { inside.resume() }

    /**
     * Checks the chain of audit records on this device; returns the first record that does not follow from the one
     * before it, or null.
     */
    public suspend fun checkAudit(): Long? = native { inside.checkAudit() }

    /**
     * Stops the loop, finishes what is being written, closes the store and lets go of the transport and the key store.
     * Calls under way throw [ClosedException]. It is carried to its end also when the coroutine is cancelled. Closing
     * twice is closing once.
     */
    public suspend fun shutdown(): Unit = withContext(NonCancellable) {
        try {
            native { inside.shutdown() }
        } catch (_: ClosedException) {
            // The library was stopped before, because the process ends: nothing is open any more.
        }
    }

    /** [shutdown] for `use` and try-with-resources: blocks the thread, usually for some milliseconds. */
    override fun close(): Unit = runBlocking { shutdown() }

    /** Whether it was closed. */
    public val isClosed: Boolean get() = native { inside.isShutDown() }

    /** Shows whether it is open, and not whose it is. */
    override fun toString(): String = if (isClosed) "Client(closed)" else "Client(open)"

    /** How a client comes to be. */
    public companion object {
        /**
         * Opens a device that was enrolled in this folder. The client is locked: it receives, and nobody can read.
         *
         * @throws EnrollmentException when there is no device in the folder.
         * @throws WipedException when the organization had the device erased; what is left to do of that is done first.
         */
        @JvmSynthetic
        public suspend fun open(config: Config): Client = native {
            Client(NativeClient.open(config.lowered(), config.transport.lowered(), config.keyStore.lowered(), null))
        }

        /**
         * Makes a new device of a person and asks the organization to list it. The client is unlocked.
         *
         * [ticket] is the one-use ticket that the organization's backend minted for this person. When the relay could
         * not be asked, or the coroutine was cancelled, call it again on the same folder with the same passphrase.
         */
        @JvmSynthetic
        public suspend fun enroll(
            config: Config,
            user: String,
            ticket: String,
            passphrase: Passphrase,
            label: String = "device",
        ): Client = native {
            Client(
                NativeClient.enroll(
                    config.lowered(),
                    config.transport.lowered(),
                    config.keyStore.lowered(),
                    user,
                    label,
                    ticket,
                    passphrase.inside,
                    null,
                ),
            )
        }

        private const val PAGE = 50
        private const val BATCH = 100
    }
}

/** Runs until it ends, or until the client is closed. */
internal suspend inline fun untilClosed(work: () -> Unit) {
    try {
        work()
    } catch (_: ClosedException) {
        // The end of what can be told.
    }
}
