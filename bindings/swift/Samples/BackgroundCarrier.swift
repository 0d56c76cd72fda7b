// Carrying calls to the relay while the app is suspended or gone: a sample to copy into an app.
//
// Nobody has run it: the machines that build this repository have no Apple platform; they only parse it. What it rests on,
// `pendingRequests` and `complete`, is tested on every one.
//
// The system uploads from a file, outlives the process, and starts the app again when the answer is there. Everything that
// is needed then travels with the task: the name of the call.

import Foundation
import Wardline

/// One for the process, made anew with the same identifier at every start of the app.
final class BackgroundCarrier: NSObject, URLSessionDataDelegate, @unchecked Sendable {
    private let client: Client
    private let relay: URL
    private let lock = NSLock()
    private var bodies: [Int: Data] = [:]
    private var session: URLSession!

    /// Call this when the system says `handleEventsForBackgroundURLSession`, with its completion handler.
    var whenAllIsDone: (@Sendable () -> Void)?

    init(client: Client, relay: URL, identifier: String) {
        self.client = client
        self.relay = relay
        super.init()
        let configuration = URLSessionConfiguration.background(withIdentifier: identifier)
        configuration.sessionSendsLaunchEvents = true
        configuration.isDiscretionary = false
        // A signed call is good for a few minutes. After that the system's retry would be refused: ask for a new one.
        configuration.timeoutIntervalForResource = 120
        session = URLSession(configuration: configuration, delegate: self, delegateQueue: nil)
    }

    /// Hands over what is to be asked now: call it when the app goes to the background, before `suspend()`.
    func handOver() async throws {
        let underway = Set(await session.allTasks.compactMap(\.taskDescription))
        for pending in try await client.pendingRequests() where !underway.contains(pending.id) {
            guard let url = URL(string: relay.absoluteString + pending.request.path) else { continue }
            var request = URLRequest(url: url)
            request.httpMethod = "POST"
            for header in pending.request.headers {
                request.setValue(header.value, forHTTPHeaderField: header.name)
            }
            let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
            // Sealed already; readable while the device is locked, because the system uploads then.
            try pending.request.body.write(to: file, options: .completeFileProtectionUntilFirstUserAuthentication)
            let task = session.uploadTask(with: request, fromFile: file)
            task.taskDescription = pending.id
            task.resume()
        }
    }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
    ) {
        completionHandler(nil)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        lock.withLock { bodies[dataTask.taskIdentifier, default: Data()].append(data) }
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        let body = lock.withLock { bodies.removeValue(forKey: task.taskIdentifier) } ?? Data()
        guard error == nil, let id = task.taskDescription, let response = task.response as? HTTPURLResponse else {
            // Nothing is lost: it is asked for again with the next `pendingRequests`.
            return
        }
        let client = client
        Task {
            // Whatever it answers, the client is in a state from which the next round goes on.
            try? await client.complete(id, with: RelayResponse(status: response.statusCode, body: body))
            // An answer may make a next question, such as fetching what comes after.
            try? await handOver()
        }
    }

    func urlSessionDidFinishEvents(forBackgroundURLSession session: URLSession) {
        let whenAllIsDone = whenAllIsDone
        DispatchQueue.main.async { whenAllIsDone?() }
    }
}
