// A notification service extension: a sample to copy into an extension's target.
//
// Nobody has run it: the machines that build this repository have no Apple platform. What it rests on, `Inbox`, is tested on
// every one. It is given about thirty seconds and 24 MB, while the phone is locked.

import UserNotifications
import Wardline

final class NotificationService: UNNotificationServiceExtension, @unchecked Sendable {
    private let lock = NSLock()
    private var answer: ((UNNotificationContent) -> Void)?
    private var fallback = UNNotificationContent()
    private var work: Task<Void, Never>?

    override func didReceive(
        _ request: UNNotificationRequest, withContentHandler handler: @escaping (UNNotificationContent) -> Void
    ) {
        lock.withLock {
            answer = handler
            // What the push says: that there is something.
            fallback = request.content
        }
        let work = Task { await self.collect() }
        lock.withLock { self.work = work }
    }

    /// The system's last word: the notices come again with the next push.
    override func serviceExtensionTimeWillExpire() {
        lock.withLock { work }?.cancel()
        show(nil)
    }

    private func collect() async {
        // The app's own: the folder in the app group, the Keychain access group, the relay.
        guard let configuration = try? WardApp.configuration(),
            let inbox = try? await Inbox.open(configuration)
        else {
            return show(nil)
        }
        guard let collected = try? await inbox.collect(within: .seconds(20)) else {
            try? await inbox.close()
            return show(nil)
        }
        let center = UNUserNotificationCenter.current()
        var shown: [String] = []
        // Each is a notification of its own, which the system has taken before it is noted as shown: a process that is
        // ended in between shows it again, in the place of the first.
        for notice in collected.notices {
            let request = UNNotificationRequest(
                identifier: notice.tag, content: content(of: notice), trigger: nil)
            if (try? await center.add(request)) != nil { shown.append(notice.reference) }
        }
        try? await inbox.shown(shown)
        // Before the system suspends this process: it must hold no file then.
        try? await inbox.close()
        show(shown.isEmpty ? nil : quiet)
    }

    /// The push itself, when the notices speak: the system shows something for every push.
    private var quiet: UNNotificationContent {
        let content = UNMutableNotificationContent()
        content.title = WardApp.name
        content.interruptionLevel = .passive
        return content
    }

    private func content(of notice: Notice) -> UNNotificationContent {
        let content = UNMutableNotificationContent()
        content.title = notice.sender?.displayName ?? WardApp.name
        content.body =
            switch notice.tier {
            case .routine: String(localized: "New message")
            case .urgent: String(localized: "Urgent message")
            case .stat: String(localized: "STAT message")
            }
        content.threadIdentifier = notice.conversation ?? ""
        content.interruptionLevel = notice.tier == .routine ? .passive : .timeSensitive
        content.sound = notice.tier == .routine ? nil : .default
        return content
    }

    /// Answers once, whoever is first.
    private func show(_ content: UNNotificationContent?) {
        let (answer, fallback) = lock.withLock {
            defer { self.answer = nil }
            return (self.answer, self.fallback)
        }
        answer?(content ?? fallback)
    }
}
