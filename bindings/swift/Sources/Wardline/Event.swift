// What the app is told, at least once.

import Foundation
internal import WardlineFFI

/// Something the app should know.
public struct Event: Hashable, Sendable {
    /// Its place in the stream: confirm up to here when it has been dealt with.
    public let cursor: UInt64
    /// When it happened, by this device's clock.
    public let at: Date
    /// What happened.
    public let kind: Kind

    /// What happened. Later versions add cases.
    public enum Kind: Hashable, Sendable {
        /// A message is on this device's disk; `tier` is how loudly to tell. ``Client/messages(_:)`` and
        /// `Client.markRead` take its reference.
        case messageArrived(reference: String, conversation: String, tier: Priority)
        /// The relay has a message of ours, by the id that sending it returned, for every device it could be sealed for so
        /// far.
        case messageSent(message: String, conversation: String)
        /// A person's device signed for a message of ours, or the relay refused it for one.
        case deliveryChanged(message: String, user: String)
        /// Somebody has accepted or declined a message, or this person has on another device.
        case messageAnswered(reference: String, conversation: String, user: String, verdict: Verdict)
        /// A message was taken back by its author; its text is gone from this device.
        case messageRecalled(reference: String, conversation: String)
        /// The text of a message was corrected by its author; what it said before is in its history.
        case messageAmended(reference: String, conversation: String)
        /// A stat message still waits: nobody has accepted it, and this person has not answered. `tier` is how loudly to
        /// tell, `round` is 1 for the first time. Comes again and again, as often as the policy says; an unconfirmed one goes
        /// when the next one comes.
        case messageReminder(reference: String, conversation: String, tier: Priority, round: Int)
        /// A message of this person's asked for an answer within a time, and nobody has accepted it by then. Comes once.
        case answerOverdue(reference: String, conversation: String)
        /// A message is over: nobody is shown it any more. One that was over when it came is not announced otherwise.
        case messageExpired(reference: String, conversation: String)
        /// Another device of this person has said whether they can be reached.
        case availabilityChanged
        /// Nobody has accepted a message in time, and the next tier of its escalation, counted from 0, was given it: on its
        /// author's device as the relay says; on the devices of the tier they have it, and are told so besides
        /// ``messageArrived(reference:conversation:tier:)``.
        case escalated(reference: String, conversation: String, tier: Int)
        /// The relay says that a message is due for a role whose holder it was not sealed for: this person holds the role, or
        /// is its custodian. What the message says is not here, unless the person was given it besides.
        case escalationDue(sender: String, role: String)
        /// A message of this person's was to be escalated, and all of it or a tier is not armed: the relay took the message and
        /// holds nothing back, or nobody of the tier has a device that can be sealed for. See ``Client/escalation(of:)``.
        case escalationNotArmed(reference: String, conversation: String)
        /// This person's answer (or recall) of this message is on its way, and the relay did not let it stop the escalation:
        /// others may be given the message all the same. Why, as a stable code, such as `WL-RELAY-HELD-PROOF`.
        case escalationGoesOn(reference: String, code: String)
        /// A message was read on another device of the same person.
        case readElsewhere(reference: String)
        /// An envelope did not open, with the stable code of the cause; `healing` when its sender was asked for it again.
        case envelopeRefused(code: String, healing: Bool)
        /// There is a newer directory head.
        case directoryChanged(version: UInt64)
        /// The relay showed a directory that is not believed; what was believed before stays. The code
        /// `WL-DIRECTORY-FORK` is evidence of a split view.
        case directoryRefused(code: String)
        /// This store is older than what the relay has seen of it: a copy was restored.
        case storeRolledBack
        /// The organization has revoked this device.
        case deviceRevoked
        /// Something that this version of the package has no word for. Update it.
        case unknown
    }
}

extension Event {
    init(_ event: WardlineFFI.DeliveredEvent) {
        cursor = event.cursor
        at = Date(millis: event.atMs)
        kind =
            switch event.event {
            case .messageArrived(let reference, let conversation, let tier):
                .messageArrived(reference: reference, conversation: conversation, tier: Priority(tier))
            case .messageSent(let message, let conversation):
                .messageSent(message: message, conversation: conversation)
            case .deliveryChanged(let message, let user): .deliveryChanged(message: message, user: user)
            case .messageAnswered(let reference, let conversation, let user, let verdict):
                .messageAnswered(
                    reference: reference, conversation: conversation, user: user, verdict: Verdict(verdict))
            case .messageRecalled(let reference, let conversation):
                .messageRecalled(reference: reference, conversation: conversation)
            case .messageAmended(let reference, let conversation):
                .messageAmended(reference: reference, conversation: conversation)
            case .messageReminder(let reference, let conversation, let tier, let round):
                .messageReminder(
                    reference: reference, conversation: conversation, tier: Priority(tier), round: Int(clamping: round))
            case .answerOverdue(let reference, let conversation):
                .answerOverdue(reference: reference, conversation: conversation)
            case .messageExpired(let reference, let conversation):
                .messageExpired(reference: reference, conversation: conversation)
            case .availabilityChanged: .availabilityChanged
            case .escalated(let reference, let conversation, let tier):
                .escalated(reference: reference, conversation: conversation, tier: Int(clamping: tier))
            case .escalationDue(let sender, let role): .escalationDue(sender: sender, role: role)
            case .escalationNotArmed(let reference, let conversation):
                .escalationNotArmed(reference: reference, conversation: conversation)
            case .escalationGoesOn(let reference, let code): .escalationGoesOn(reference: reference, code: code)
            case .readElsewhere(let reference): .readElsewhere(reference: reference)
            case .envelopeRefused(let code, let healing): .envelopeRefused(code: code, healing: healing)
            case .directoryChanged(let version): .directoryChanged(version: version)
            case .directoryRefused(let code): .directoryRefused(code: code)
            case .storeRolledBack: .storeRolledBack
            case .deviceRevoked: .deviceRevoked
            case .unknown: .unknown
            }
    }
}
