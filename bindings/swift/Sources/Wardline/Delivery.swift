// How a message that was sent stands with everybody it went to.

import Foundation
internal import WardlineFFI

/// How a message of ours stands with one person.
public struct Delivery: Hashable, Sendable {
    /// The person.
    public let user: String
    /// The furthest any device of the person has come.
    public let state: State
    /// Their last word, if they have answered.
    public let answer: StandingAnswer?
    /// Every device it was sealed for.
    public let devices: [Device]

    /// How far a message has come.
    public enum State: Int, Comparable, Hashable, Sendable, CaseIterable {
        /// It will not arrive, unless the device proves otherwise.
        case failed
        /// On this device's disk, not yet at the relay.
        case queued
        /// The relay has it on disk.
        case sent
        /// The device has it on disk and has signed for it.
        case delivered
        /// A person opened it; the device has signed for it.
        case read

        public static func < (left: State, right: State) -> Bool {
            left.rawValue < right.rawValue
        }
    }

    /// How a message of ours stands with one device.
    public struct Device: Hashable, Sendable {
        /// The device; `nil` when the person has none that could receive.
        public let device: String?
        /// How far it has come.
        public let state: State
        /// Why it will not arrive, when it will not.
        public let failure: Failure?
        /// When the relay took it.
        public let sentAt: Date?
        /// When the device had it on disk, by its own signed word.
        public let deliveredAt: Date?
        /// When a person opened it there, by the device's signed word.
        public let readAt: Date?
        /// What has become of it there, when it was taken back.
        public let recall: Recall?
    }

    /// Why a message will not arrive at a device.
    public enum Failure: Hashable, Sendable, CaseIterable {
        /// The directory does not know the person, or the person has left.
        case noSuchPerson
        /// The person has no device that may receive.
        case noDevice
        /// The device was revoked.
        case revoked
        /// The relay does not know the device.
        case unknownDevice
        /// The device's mailbox is full.
        case mailboxFull
        /// The device never offered a key to seal for, until time was up.
        case noKeys
        /// The team has gone or has nobody but the author; it stands under the author's own name.
        case noSuchTeam
        /// The relay will not take it for anybody, however often it is posted.
        case refusedByRelay
        /// The time in which it may be sealed was over before it left.
        case timeUp
        /// Nobody holds the role and it has no custodian; it stands under the author's own name.
        case noHolder
        /// The author had not held the role for a while when it could be sealed.
        case notHolder
    }
}

extension Delivery {
    init(_ delivery: WardlineFFI.PersonDelivery) {
        user = delivery.user
        state = State(delivery.state)
        answer = delivery.answer.map(StandingAnswer.init)
        devices = delivery.devices.map(Device.init)
    }
}

extension Delivery.Device {
    init(_ delivery: WardlineFFI.DeviceDelivery) {
        device = delivery.device
        state = Delivery.State(delivery.state)
        failure = delivery.cause.map(Delivery.Failure.init)
        sentAt = delivery.sentAtMs.map(Date.init(millis:))
        deliveredAt = delivery.deliveredAtMs.map(Date.init(millis:))
        readAt = delivery.readAtMs.map(Date.init(millis:))
        recall = delivery.recall.map(Delivery.Recall.init)
    }
}

extension Delivery.State {
    init(_ state: WardlineFFI.DeliveryState) {
        self =
            switch state {
            case .failed: .failed
            case .queued: .queued
            case .sent: .sent
            case .delivered: .delivered
            case .read: .read
            }
    }
}

extension Delivery.Failure {
    init(_ cause: WardlineFFI.FailureCause) {
        self =
            switch cause {
            case .noSuchPerson: .noSuchPerson
            case .noDevice: .noDevice
            case .revoked: .revoked
            case .unknownDevice: .unknownDevice
            case .mailboxFull: .mailboxFull
            case .noKeys: .noKeys
            case .noSuchTeam: .noSuchTeam
            case .refusedByRelay: .refusedByRelay
            case .timeUp: .timeUp
            case .noHolder: .noHolder
            case .notHolder: .notHolder
            }
    }
}
