/*
 * A client for Java: what suspends in Kotlin is a CompletableFuture here.
 *
 * Adds nothing to what Client does and says nothing twice: the contract of each method stands there.
 */
package dev.wardline.future

import dev.wardline.Answer
import dev.wardline.Availability
import dev.wardline.Caution
import dev.wardline.Choice
import dev.wardline.Client
import dev.wardline.Config
import dev.wardline.ConversationListSnapshot
import dev.wardline.ConversationPage
import dev.wardline.EscalationStatus
import dev.wardline.EscalationTier
import dev.wardline.Event
import dev.wardline.Filter
import dev.wardline.Lifetime
import dev.wardline.LoopGrouping
import dev.wardline.LoopTimes
import dev.wardline.Message
import dev.wardline.OpenItems
import dev.wardline.OwnDevice
import dev.wardline.Page
import dev.wardline.Passphrase
import dev.wardline.Patient
import dev.wardline.PendingRequest
import dev.wardline.PersonDelivery
import dev.wardline.PersonDevice
import dev.wardline.Priority
import dev.wardline.Reachability
import dev.wardline.Recipient
import dev.wardline.RelayResponse
import dev.wardline.RoleStatus
import dev.wardline.Round
import dev.wardline.Structured
import dev.wardline.TimelineSnapshot
import dev.wardline.Verdict
import dev.wardline.Version
import dev.wardline.amend
import dev.wardline.availability
import dev.wardline.check
import dev.wardline.choices
import dev.wardline.devicesWithout
import dev.wardline.escalation
import dev.wardline.exportProof
import dev.wardline.find
import dev.wardline.forward
import dev.wardline.history
import dev.wardline.lifetime
import dev.wardline.loopTimes
import dev.wardline.observeOpenItems
import dev.wardline.reachability
import dev.wardline.replyWith
import dev.wardline.role
import dev.wardline.setAvailability
import dev.wardline.setLifetime
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.future.future
import kotlinx.coroutines.launch
import java.time.Duration
import java.time.Instant
import java.util.concurrent.CompletableFuture
import java.util.function.Consumer

/**
 * [Client] for Java callers. Futures complete on a thread of the default dispatcher, with a
 * [dev.wardline.WardlineException] when they fail; cancelling one gives the call up.
 *
 * @property client the client that does the work.
 */
public class FutureClient(public val client: Client) : AutoCloseable {
    /** The person this device belongs to. */
    public val user: String get() = client.user

    /** This device. */
    public val device: String get() = client.device

    /** Whether nobody can read. */
    public val isLocked: Boolean get() = client.isLocked

    /** Whether the organization had this device erased. */
    public val isWiped: Boolean get() = client.isWiped

    /** Whether it was closed. */
    public val isClosed: Boolean get() = client.isClosed

    /** See [Client.send]. */
    @JvmOverloads
    public fun send(
        recipient: Recipient,
        text: String,
        priority: Priority = Priority.ROUTINE,
        patient: Patient? = null,
        idempotencyKey: String? = null,
        answerWithin: Duration? = null,
        occurredAt: Instant? = null,
        replyTo: String? = null,
        offers: List<String> = emptyList(),
        escalate: List<EscalationTier> = emptyList(),
        lifetime: Lifetime? = null,
    ): CompletableFuture<String> = later {
        client.send(
            recipient, text, priority, patient, idempotencyKey, answerWithin, occurredAt, replyTo, null, offers, escalate,
            lifetime,
        )
    }

    /** See [Client.send], with typed fields. */
    @JvmOverloads
    public fun send(
        recipient: Recipient,
        structured: Structured,
        priority: Priority = Priority.ROUTINE,
        patient: Patient? = null,
        idempotencyKey: String? = null,
        text: String = "",
        answerWithin: Duration? = null,
        occurredAt: Instant? = null,
        replyTo: String? = null,
        escalate: List<EscalationTier> = emptyList(),
        lifetime: Lifetime? = null,
    ): CompletableFuture<String> = later {
        client.send(
            recipient, text, priority, patient, idempotencyKey, answerWithin, occurredAt, replyTo, structured,
            escalate = escalate, lifetime = lifetime,
        )
    }

    /** See [dev.wardline.devicesWithout]. */
    public fun devicesWithout(recipient: Recipient, typeUri: String): CompletableFuture<List<PersonDevice>?> =
        later { client.devicesWithout(recipient, typeUri) }

    /** See [Client.conversation]. */
    public fun conversation(recipient: Recipient): String = client.conversation(recipient)

    /** See [Client.timeline]. */
    @JvmOverloads
    public fun timeline(conversation: String, before: Long? = null, size: Int = 50): CompletableFuture<Page> =
        later { client.timeline(conversation, before, size) }

    /** See [Client.deliveries]. */
    public fun deliveries(message: String): CompletableFuture<List<PersonDelivery>> =
        later { client.deliveries(message) }

    /** See [Client.messages]. */
    public fun messages(references: List<String>): CompletableFuture<List<Message>> =
        later { client.messages(references) }

    /** See [Client.markRead]. */
    public fun markRead(references: List<String>): CompletableFuture<Void?> = done { client.markRead(references) }

    /** See [Client.answer]. */
    @JvmOverloads
    public fun answer(reference: String, verdict: Verdict, readBack: String = ""): CompletableFuture<String> =
        later { client.answer(reference, verdict, readBack) }

    /** See [Client.answers]. */
    public fun answers(message: String): CompletableFuture<List<Answer>> = later { client.answers(message) }

    /** See [Client.openItems]. */
    @JvmOverloads
    public fun openItems(which: OpenItems, limit: Int = 50): CompletableFuture<List<Message>> =
        later { client.openItems(which, limit) }

    /** See [Client.recall]. */
    @JvmOverloads
    public fun recall(message: String, reason: String = ""): CompletableFuture<Void?> =
        done { client.recall(message, reason) }

    /** See [dev.wardline.replyWith]. */
    public fun replyWith(reference: String, index: Int): CompletableFuture<String> =
        later { client.replyWith(reference, index) }

    /** See [dev.wardline.choices]. */
    public fun choices(message: String): CompletableFuture<List<Choice>> = later { client.choices(message) }

    /** See [dev.wardline.escalation]. */
    public fun escalation(message: String): CompletableFuture<EscalationStatus?> = later { client.escalation(message) }

    /** See [dev.wardline.setLifetime]. */
    public fun setLifetime(recipient: Recipient, lifetime: Lifetime): CompletableFuture<Void?> =
        done { client.setLifetime(recipient, lifetime) }

    /** See [dev.wardline.lifetime]. */
    public fun lifetime(conversation: String): CompletableFuture<Lifetime> = later { client.lifetime(conversation) }

    /** See [dev.wardline.role]. */
    public fun role(role: String): CompletableFuture<RoleStatus> = later { client.role(role) }

    /** See [dev.wardline.setAvailability]. */
    public fun setAvailability(availability: Availability): CompletableFuture<Void?> =
        done { client.setAvailability(availability) }

    /** See [dev.wardline.availability]. */
    public fun availability(): CompletableFuture<Availability> = later { client.availability() }

    /** See [dev.wardline.reachability]. */
    public fun reachability(people: List<String>): CompletableFuture<List<Reachability>> =
        later { client.reachability(people) }

    /** See [dev.wardline.amend]. */
    @JvmOverloads
    public fun amend(message: String, text: String, reason: String = ""): CompletableFuture<String> =
        later { client.amend(message, text, reason) }

    /** See [dev.wardline.amend], with typed fields. */
    @JvmOverloads
    public fun amend(
        message: String,
        fields: Structured,
        reason: String = "",
        text: String = "",
    ): CompletableFuture<String> = later { client.amend(message, fields, reason, text) }

    /** See [dev.wardline.forward]. */
    @JvmOverloads
    public fun forward(
        reference: String,
        recipient: Recipient,
        comment: String = "",
        priority: Priority = Priority.ROUTINE,
        answerWithin: Duration? = null,
        idempotencyKey: String? = null,
    ): CompletableFuture<String> =
        later { client.forward(reference, recipient, comment, priority, answerWithin, idempotencyKey) }

    /** See [dev.wardline.history]. */
    public fun history(message: String): CompletableFuture<List<Version>> = later { client.history(message) }

    /** See [dev.wardline.exportProof]. */
    public fun exportProof(reference: String): CompletableFuture<ByteArray> = later { client.exportProof(reference) }

    /** See [dev.wardline.find]. */
    @JvmOverloads
    public fun find(filter: Filter, before: Long? = null, limit: Int = 50): CompletableFuture<List<Message>> =
        later { client.find(filter, before, limit) }

    /** See [dev.wardline.check]. */
    @JvmOverloads
    public fun check(
        recipient: Recipient,
        priority: Priority = Priority.ROUTINE,
        patient: Patient? = null,
    ): CompletableFuture<List<Caution>> = later { client.check(recipient, priority, patient) }

    /** See [dev.wardline.loopTimes]. */
    @JvmOverloads
    public fun loopTimes(
        grouping: LoopGrouping,
        since: Instant? = null,
        until: Instant? = null,
    ): CompletableFuture<List<LoopTimes>> = later { client.loopTimes(grouping, since, until) }

    /** See [Client.unread]. */
    public fun unread(conversation: String): CompletableFuture<Long> = later { client.unread(conversation) }

    /** See [Client.unreadTotal]. */
    public fun unreadTotal(): CompletableFuture<Long> = later { client.unreadTotal() }

    /** See [Client.ownDevices]. */
    public fun ownDevices(): CompletableFuture<List<OwnDevice>> = later { client.ownDevices() }

    /** See [Client.vouch]. */
    public fun vouch(device: String): CompletableFuture<ByteArray> = later { client.vouch(device) }

    /** See [Client.conversations]. */
    @JvmOverloads
    public fun conversations(before: Long? = null, size: Int = 50): CompletableFuture<ConversationPage> =
        later { client.conversations(before, size) }

    /** See [Client.search]. */
    @JvmOverloads
    public fun search(
        text: String,
        conversation: String? = null,
        before: Long? = null,
        limit: Int = 50,
    ): CompletableFuture<List<Message>> = later { client.search(text, conversation, before, limit) }

    /** See [Client.saveDraft]. */
    public fun saveDraft(recipient: Recipient, text: String): CompletableFuture<Void?> =
        done { client.saveDraft(recipient, text) }

    /** See [Client.draft]. */
    public fun draft(conversation: String): CompletableFuture<String?> = later { client.draft(conversation) }

    /**
     * [Client.observe]: calls [listener] with what the conversation shows now, and whenever it changes. Ends when the
     * returned handle is closed, and when the client is; [failed] hears why when it ends otherwise.
     */
    @JvmOverloads
    public fun observe(
        conversation: String,
        size: Int = 50,
        listener: Consumer<TimelineSnapshot>,
        failed: Consumer<Throwable> = IGNORED,
    ): AutoCloseable = subscribe(client.observe(conversation, size), listener, failed)

    /** [Client.observeConversations], as [observe] does it. */
    @JvmOverloads
    public fun observeConversations(
        size: Int = 50,
        listener: Consumer<ConversationListSnapshot>,
        failed: Consumer<Throwable> = IGNORED,
    ): AutoCloseable = subscribe(client.observeConversations(size), listener, failed)

    /** [dev.wardline.observeOpenItems], as [observe] does it. */
    @JvmOverloads
    public fun observeOpenItems(
        which: OpenItems,
        size: Int = 50,
        listener: Consumer<List<Message>>,
        failed: Consumer<Throwable> = IGNORED,
    ): AutoCloseable = subscribe(client.observeOpenItems(which, size), listener, failed)

    /**
     * [Client.events]: calls [listener] with each event, one after the other. An event counts as dealt with when the
     * listener has returned. Ends when the returned handle is closed, and when the client is; [failed] hears why when it
     * ends otherwise, for example because the listener threw.
     */
    @JvmOverloads
    public fun events(listener: Consumer<Event>, failed: Consumer<Throwable> = IGNORED): AutoCloseable =
        subscribe(client.events(), listener, failed)

    /** See [Client.eventsFrom]. */
    public fun eventsFrom(cursor: Long, limit: Int): CompletableFuture<List<Event>> =
        later { client.eventsFrom(cursor, limit) }

    /** See [Client.nextEvents]. */
    public fun nextEvents(cursor: Long, limit: Int): CompletableFuture<List<Event>> =
        later { client.nextEvents(cursor, limit) }

    /** See [Client.confirm]. */
    public fun confirm(event: Event): CompletableFuture<Void?> = done { client.confirm(event) }

    /** See [Client.start]. */
    public fun start(): Unit = client.start()

    /** See [Client.stop]. */
    public fun stop(): Unit = client.stop()

    /** See [Client.syncOnce]. */
    public fun syncOnce(): CompletableFuture<Round> = later { client.syncOnce() }

    /** See [Client.remind]. */
    public fun remind(): CompletableFuture<Instant?> = later { client.remind() }

    /** See [Client.pendingRequests]. */
    public fun pendingRequests(): CompletableFuture<List<PendingRequest>> = later { client.pendingRequests() }

    /** See [Client.complete]. */
    public fun complete(request: String, response: RelayResponse): CompletableFuture<Void?> =
        done { client.complete(request, response) }

    /** See [Client.unlock]. */
    public fun unlock(passphrase: Passphrase): CompletableFuture<Int> = later { client.unlock(passphrase) }

    /** See [Client.unlockByPresence]. */
    public fun unlockByPresence(): CompletableFuture<Void?> = done { client.unlockByPresence() }

    /** See [Client.allowPresence]. */
    public fun allowPresence(passphrase: Passphrase): CompletableFuture<Void?> =
        done { client.allowPresence(passphrase) }

    /** See [Client.forbidPresence]. */
    public fun forbidPresence(): CompletableFuture<Void?> = done { client.forbidPresence() }

    /** See [Client.lock]. */
    public fun lock(): Unit = client.lock()

    /** See [Client.changePassphrase]. */
    public fun changePassphrase(old: Passphrase, new: Passphrase): CompletableFuture<Void?> =
        done { client.changePassphrase(old, new) }

    /** See [Client.rekey]. */
    public fun rekey(): CompletableFuture<Void?> = done { client.rekey() }

    /** See [Client.registerPush]. */
    public fun registerPush(token: String, topic: String): CompletableFuture<Void?> =
        done { client.registerPush(token, topic) }

    /** See [Client.unregisterPush]. */
    public fun unregisterPush(): CompletableFuture<Void?> = done { client.unregisterPush() }

    /** See [Client.suspend]. */
    public fun suspend(): CompletableFuture<Void?> = done { client.suspend() }

    /** See [Client.resume]. */
    public fun resume(): CompletableFuture<Void?> = done { client.resume() }

    /** See [Client.checkAudit]. */
    public fun checkAudit(): CompletableFuture<Long?> = later { client.checkAudit() }

    /** See [Client.shutdown]. */
    public fun shutdown(): CompletableFuture<Void?> = done { client.shutdown() }

    /** [shutdown] for try-with-resources: blocks the thread, usually for some milliseconds. */
    override fun close(): Unit = client.close()

    private fun <T : Any> subscribe(flow: Flow<T>, listener: Consumer<T>, failed: Consumer<Throwable>): AutoCloseable {
        // A listener may block.
        val job: Job = SCOPE.launch(Dispatchers.IO) {
            try {
                flow.collect { listener.accept(it) }
            } catch (error: Throwable) {
                if (error !is CancellationException) failed.accept(error)
            }
        }
        return AutoCloseable { job.cancel() }
    }

    /** How a client comes to be. */
    public companion object {
        /** See [Client.open]. */
        @JvmStatic
        public fun open(config: Config): CompletableFuture<FutureClient> = later { FutureClient(Client.open(config)) }

        /** See [Client.enroll]. */
        @JvmStatic
        @JvmOverloads
        public fun enroll(
            config: Config,
            user: String,
            ticket: String,
            passphrase: Passphrase,
            label: String = "device",
        ): CompletableFuture<FutureClient> =
            later { FutureClient(Client.enroll(config, user, ticket, passphrase, label)) }

        private val IGNORED = Consumer<Throwable> { }
    }
}

/** Runs it and completes a future with what it returns; cancelling the future cancels it. */
internal fun <T> later(work: suspend () -> T): CompletableFuture<T> = SCOPE.future { work() }

/** [later], for what returns nothing. */
internal fun done(work: suspend () -> Unit): CompletableFuture<Void?> = later {
    work()
    null
}

/** Of the library's whole life: single calls fail alone. */
private val SCOPE = CoroutineScope(SupervisorJob() + Dispatchers.Default)
