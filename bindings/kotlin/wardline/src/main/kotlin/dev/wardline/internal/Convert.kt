/*
 * Values of this package for those of the native library, and the other way round.
 */
package dev.wardline.internal

import dev.wardline.Answer
import dev.wardline.AnswerOverdue
import dev.wardline.Asked
import dev.wardline.AvailabilityChanged
import dev.wardline.Caller
import dev.wardline.Collected
import dev.wardline.Config
import dev.wardline.Conversation
import dev.wardline.ConversationListChange
import dev.wardline.ConversationListSnapshot
import dev.wardline.ConversationPage
import dev.wardline.DeliveryChanged
import dev.wardline.DeliveryState
import dev.wardline.DeviceDelivery
import dev.wardline.DeviceRevoked
import dev.wardline.Direction
import dev.wardline.DirectoryChanged
import dev.wardline.DirectoryRefused
import dev.wardline.EnvelopeRefused
import dev.wardline.Escalated
import dev.wardline.EscalationDue
import dev.wardline.EscalationGoesOn
import dev.wardline.EscalationNotArmed
import dev.wardline.Event
import dev.wardline.FailureCause
import dev.wardline.HttpHeader
import dev.wardline.Message
import dev.wardline.MessageAmended
import dev.wardline.MessageAnswered
import dev.wardline.MessageArrived
import dev.wardline.MessageExpired
import dev.wardline.MessageRecalled
import dev.wardline.MessageReminder
import dev.wardline.MessageSent
import dev.wardline.NewestMessage
import dev.wardline.Notice
import dev.wardline.NoticeSender
import dev.wardline.OpenItems
import dev.wardline.Patient
import dev.wardline.PendingRequest
import dev.wardline.Person
import dev.wardline.PersonDelivery
import dev.wardline.Priority
import dev.wardline.Proof
import dev.wardline.ReadElsewhere
import dev.wardline.RecallOutcome
import dev.wardline.Recalled
import dev.wardline.Recipient
import dev.wardline.RelayRequest
import dev.wardline.Role
import dev.wardline.StandingAnswer
import dev.wardline.StoreRolledBack
import dev.wardline.Team
import dev.wardline.TimelineChange
import dev.wardline.TimelineSnapshot
import dev.wardline.UnknownEvent
import dev.wardline.Verdict
import java.time.Duration
import java.time.Instant
import dev.wardline.ffi.Answer as NativeAnswer
import dev.wardline.ffi.ClientConfig as NativeConfig
import dev.wardline.ffi.Collected as NativeCollected
import dev.wardline.ffi.Conversation as NativeConversation
import dev.wardline.ffi.ConversationListChange as NativeListChange
import dev.wardline.ffi.ConversationListSnapshot as NativeListSnapshot
import dev.wardline.ffi.ConversationPage as NativePage
import dev.wardline.ffi.DeliveredEvent as NativeDelivered
import dev.wardline.ffi.DeviceDelivery as NativeDevice
import dev.wardline.ffi.Event as NativeEvent
import dev.wardline.ffi.HttpHeader as NativeHeader
import dev.wardline.ffi.Message as NativeMessage
import dev.wardline.ffi.OpenItems as NativeItems
import dev.wardline.ffi.PassphraseCost as NativeCost
import dev.wardline.ffi.Patient as NativePatient
import dev.wardline.ffi.PatientIdentifier as NativeIdentifier
import dev.wardline.ffi.PendingRequest as NativePending
import dev.wardline.ffi.PersonDelivery as NativePerson
import dev.wardline.ffi.Priority as NativePriority
import dev.wardline.ffi.Recipient as NativeRecipient
import dev.wardline.ffi.RelayRequest as NativeRequest
import dev.wardline.ffi.TimelineChange as NativeChange
import dev.wardline.ffi.TimelineSnapshot as NativeSnapshot
import dev.wardline.ffi.Verdict as NativeVerdict

internal fun Config.lowered(): NativeConfig = NativeConfig(
    folder = folder.path,
    organization = organization,
    root = root,
    relay = relay,
    passphraseCost = passphraseCost?.let { cost ->
        NativeCost(
            number("passphraseCost", cost.memoryKib),
            number("passphraseCost", cost.passes),
            number("passphraseCost", cost.lanes),
        )
    },
    transportTimeoutMs = transportTimeout?.let { millis("transportTimeout", it) },
    keyStoreTimeoutMs = keyStoreTimeout?.let { millis("keyStoreTimeout", it) },
)

internal fun Recipient.lowered(): NativeRecipient = when (this) {
    is Person -> NativeRecipient.Person(user)
    is Team -> NativeRecipient.Team(team)
    is Role -> NativeRecipient.Role(role)
    is Caller -> NativeRecipient.Caller(role, person)
}

internal fun Priority.lowered(): NativePriority = when (this) {
    Priority.ROUTINE -> NativePriority.ROUTINE
    Priority.URGENT -> NativePriority.URGENT
    Priority.STAT -> NativePriority.STAT
}

internal fun Verdict.lowered(): NativeVerdict = when (this) {
    Verdict.ACCEPTED -> NativeVerdict.ACCEPTED
    Verdict.DECLINED -> NativeVerdict.DECLINED
}

internal fun OpenItems.lowered(): NativeItems = when (this) {
    OpenItems.TO_ANSWER -> NativeItems.TO_ANSWER
    OpenItems.AWAITED -> NativeItems.AWAITED
    OpenItems.OVERDUE -> NativeItems.OVERDUE
}

internal fun Patient.lowered(): NativePatient =
    NativePatient(identifiers.map { NativeIdentifier(it.system, it.value) }, name, encounter)

internal fun RelayRequest.lowered(): NativeRequest =
    NativeRequest(path, headers.map { NativeHeader(it.name, it.value) }, body)

internal fun request(native: NativeRequest): RelayRequest =
    RelayRequest(native.path, native.headers.map { HttpHeader(it.name, it.value) }, native.body)

internal fun pending(native: NativePending): PendingRequest = PendingRequest(native.id, request(native.request))

internal fun priority(native: NativePriority): Priority = when (native) {
    NativePriority.ROUTINE -> Priority.ROUTINE
    NativePriority.URGENT -> Priority.URGENT
    NativePriority.STAT -> Priority.STAT
}

internal fun message(native: NativeMessage): Message = Message(
    id = native.id,
    reference = native.reference,
    conversation = native.conversation,
    cursor = native.cursor,
    sender = native.sender,
    senderDevice = native.senderDevice,
    direction = Direction.valueOf(native.direction.name),
    proof = Proof.valueOf(native.proof.name),
    priority = priority(native.priority),
    text = native.text,
    contentType = native.contentType,
    supported = native.supported,
    patient = native.patient?.let(::patient),
    createdAt = time(native.createdAtMs),
    arrivedAt = time(native.arrivedAtMs),
    readAt = native.readAtMs?.let(::time),
    occurredAt = native.occurredAtMs?.let(::time),
    asked = native.asked?.let { Asked(it.answerByMs?.let(::time), it.open) },
    inReplyTo = native.inReplyTo,
    recalled = native.recalled?.let { Recalled(it.`by`, time(it.atMs), it.reason) },
    amended = native.amended?.let(::amended),
    structured = native.structured?.let(::structured),
    offers = native.offers,
    chosen = native.chosen?.toInt(),
    forwarded = native.forwarded?.let(::forwarded),
    expiresAt = native.expiresAtMs?.let(::time),
    expiresAfterRead = duration(native.expiresAfterReadMs),
    expiredAt = native.expiredAtMs?.let(::time),
    role = native.role?.let(::inRole),
)

internal fun messages(native: List<NativeMessage>): List<Message> = native.map(::message)

internal fun answer(native: NativeAnswer): Answer = Answer(
    user = native.user,
    device = native.device,
    verdict = verdict(native.verdict),
    readBack = native.readBack,
    at = time(native.atMs),
    stands = native.stands,
    version = native.version,
    outdated = native.outdated,
)

private fun verdict(native: NativeVerdict): Verdict = when (native) {
    NativeVerdict.ACCEPTED -> Verdict.ACCEPTED
    NativeVerdict.DECLINED -> Verdict.DECLINED
}

internal fun delivery(native: NativePerson): PersonDelivery = PersonDelivery(
    user = native.user,
    state = DeliveryState.valueOf(native.state.name),
    answer = native.answer?.let { StandingAnswer(verdict(it.verdict), time(it.atMs)) },
    devices = native.devices.map(::device),
)

private fun device(native: NativeDevice) = DeviceDelivery(
    device = native.device,
    state = DeliveryState.valueOf(native.state.name),
    cause = native.cause?.let { FailureCause.valueOf(it.name) },
    sentAt = native.sentAtMs?.let(::time),
    deliveredAt = native.deliveredAtMs?.let(::time),
    readAt = native.readAtMs?.let(::time),
    recall = native.recall?.let { RecallOutcome.valueOf(it.name) },
)

internal fun snapshot(native: NativeSnapshot): TimelineSnapshot =
    TimelineSnapshot(messages(native.messages), native.unread.toLong())

internal fun change(native: NativeChange): TimelineChange =
    TimelineChange(native.removed, messages(native.updated), messages(native.added), native.unread.toLong())

internal fun conversationPage(native: NativePage): ConversationPage =
    ConversationPage(native.conversations.map(::conversation), native.before, native.unread.toLong())

internal fun conversationSnapshot(native: NativeListSnapshot): ConversationListSnapshot =
    ConversationListSnapshot(native.conversations.map(::conversation), native.unread.toLong())

internal fun conversationChange(native: NativeListChange): ConversationListChange = ConversationListChange(
    native.removed,
    native.updated.map(::conversation),
    native.added.map(::conversation),
    native.unread.toLong(),
)

private fun conversation(native: NativeConversation) = Conversation(
    id = native.id,
    recipient = when (val with = native.recipient) {
        is NativeRecipient.Person -> Person(with.user)
        is NativeRecipient.Team -> Team(with.team)
        is NativeRecipient.Role -> Role(with.role)
        is NativeRecipient.Caller -> Caller(with.role, with.person)
    },
    unread = native.unread.toLong(),
    unreadPriority = native.unreadPriority?.let(::priority),
    newest = NewestMessage(
        id = native.newest.id,
        cursor = native.newest.cursor,
        sender = native.newest.sender,
        direction = Direction.valueOf(native.newest.direction.name),
        priority = priority(native.newest.priority),
        createdAt = time(native.newest.createdAtMs),
        arrivedAt = time(native.newest.arrivedAtMs),
        preview = native.newest.preview,
    ),
    hasDraft = native.hasDraft,
)

internal fun event(native: NativeDelivered): Event {
    val cursor = native.cursor.toLong()
    val at = time(native.atMs)
    return when (val it = native.event) {
        is NativeEvent.MessageArrived -> MessageArrived(cursor, at, it.reference, it.conversation, priority(it.tier))
        is NativeEvent.MessageSent -> MessageSent(cursor, at, it.message, it.conversation)
        is NativeEvent.DeliveryChanged -> DeliveryChanged(cursor, at, it.message, it.user)
        is NativeEvent.MessageAnswered ->
            MessageAnswered(cursor, at, it.reference, it.conversation, it.user, verdict(it.verdict))
        is NativeEvent.MessageRecalled -> MessageRecalled(cursor, at, it.reference, it.conversation)
        is NativeEvent.MessageAmended -> MessageAmended(cursor, at, it.reference, it.conversation)
        is NativeEvent.MessageReminder ->
            MessageReminder(cursor, at, it.reference, it.conversation, priority(it.tier), it.round.toLong())
        is NativeEvent.AnswerOverdue -> AnswerOverdue(cursor, at, it.reference, it.conversation)
        is NativeEvent.MessageExpired -> MessageExpired(cursor, at, it.reference, it.conversation)
        is NativeEvent.AvailabilityChanged -> AvailabilityChanged(cursor, at)
        is NativeEvent.Escalated -> Escalated(cursor, at, it.reference, it.conversation, it.tier.toInt())
        is NativeEvent.EscalationDue -> EscalationDue(cursor, at, it.sender, it.role)
        is NativeEvent.EscalationNotArmed -> EscalationNotArmed(cursor, at, it.reference, it.conversation)
        is NativeEvent.EscalationGoesOn -> EscalationGoesOn(cursor, at, it.reference, it.code)
        is NativeEvent.ReadElsewhere -> ReadElsewhere(cursor, at, it.reference)
        is NativeEvent.EnvelopeRefused -> EnvelopeRefused(cursor, at, it.code, it.healing)
        is NativeEvent.DirectoryChanged -> DirectoryChanged(cursor, at, it.version.toLong())
        is NativeEvent.DirectoryRefused -> DirectoryRefused(cursor, at, it.code)
        is NativeEvent.StoreRolledBack -> StoreRolledBack(cursor, at)
        is NativeEvent.DeviceRevoked -> DeviceRevoked(cursor, at)
        is NativeEvent.Unknown -> UnknownEvent(cursor, at)
    }
}

internal fun collected(native: NativeCollected): Collected {
    val notices = native.notices.map {
        val sender = it.sender?.let { sender -> NoticeSender(sender.user, sender.displayName) }
        Notice(it.reference, it.tag, priority(it.tier), time(it.arrivedAtMs), it.conversation, sender, it.round.toLong())
    }
    return Collected(notices, native.complete, native.failure)
}

internal fun time(millis: Long): Instant = Instant.ofEpochMilli(millis)

internal fun duration(millis: ULong?): Duration? = millis?.let { Duration.ofMillis(it.toLong()) }

internal fun millis(name: String, duration: Duration): ULong = number(name, counted(name) { duration.toMillis() })

internal fun millis(name: String, at: Instant): Long = counted(name) { at.toEpochMilli() }

private inline fun counted(name: String, millis: () -> Long): Long = try {
    millis()
} catch (_: ArithmeticException) {
    throw unfit(name, "$name is more milliseconds than can be counted")
}

/** A number that the library takes without a sign. */
internal fun number(name: String, value: Long): ULong {
    if (value < 0) throw unfit(name, "$name is negative")
    return value.toULong()
}

/** A number that the library takes without a sign. */
internal fun number(name: String, value: Int): UInt {
    if (value < 0) throw unfit(name, "$name is negative")
    return value.toUInt()
}

/** A status of HTTP: a number that is none would be cut off silently. */
internal fun status(value: Int): UShort {
    if (value !in 100..999) throw unfit("status", "no status of HTTP")
    return value.toUShort()
}
