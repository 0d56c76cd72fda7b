// Errors of the generated code as errors of this package.

internal import WardlineFFI

extension WardlineError {
    /// `CancellationError` for a wait that was given up, ours for everything else.
    package static func of(_ error: any Error) -> any Error {
        switch error {
        case is CancellationError, is WardlineError: error
        case WardlineFFI.WardlineError.Cancelled: CancellationError()
        case let error as WardlineFFI.WardlineError: WardlineError(error)
        // A fault of the library that it could not name: its text was made by a developer.
        default: defect(String(describing: error))
        }
    }

    static func defect(_ detail: String) -> WardlineError {
        WardlineError(
            code: "WL-DEFECT", detail: detail, isRetryable: false, recovery: .askTheDeveloper, cause: .defect)
    }

    private init(_ error: WardlineFFI.WardlineError) {
        switch error {
        case .Send(let code, let detail, let retryable, let recovery, let length, let limit):
            self.init(code, detail, retryable, recovery, .send(length: int(length), limit: int(limit)))
        case .Locked(let code, let detail, let retryable, let recovery):
            self.init(code, detail, retryable, recovery, .locked)
        case .Enrollment(let code, let detail, let retryable, let recovery):
            self.init(code, detail, retryable, recovery, .enrollment)
        case .Wiped(let code, let detail, let retryable, let recovery):
            self.init(code, detail, retryable, recovery, .wiped)
        case .PassphraseRefused(let code, let detail, let retryable, let recovery, let attempts):
            self.init(code, detail, retryable, recovery, .passphrase(attempts: int(attempts)))
        case .KeyStore(let code, let detail, let retryable, let recovery, let status):
            self.init(code, detail, retryable, recovery, .keyStore(status: status))
        case .Vault(let code, let detail, let retryable, let recovery, let found):
            self.init(code, detail, retryable, recovery, .vault(found: int(found)))
        case .Store(let code, let detail, let retryable, let recovery, let found, let known):
            self.init(code, detail, retryable, recovery, .store(found: int(found), known: int(known)))
        case .Network(let code, let detail, let retryable, let recovery):
            self.init(code, detail, retryable, recovery, .network)
        case .Relay(let code, let detail, let retryable, let recovery, let after, let limit):
            let retryAfter = after.map { Duration.milliseconds(Int64(clamping: $0)) }
            self.init(code, detail, retryable, recovery, .relay(retryAfter: retryAfter, limit: int(limit)))
        case .Directory(let code, let detail, let retryable, let recovery, let held, let offered):
            self.init(code, detail, retryable, recovery, .directory(held: int(held), offered: int(offered)))
        case .Proof(let code, let detail, let retryable, let recovery, let reason):
            self.init(code, detail, retryable, recovery, .proof(reason: reason))
        case .NotFound(let code, let detail, let retryable, let recovery):
            self.init(code, detail, retryable, recovery, .notFound)
        case .Argument(let code, let detail, let retryable, let recovery, let name):
            self.init(code, detail, retryable, recovery, .argument(name: name))
        case .Closed(let code, let detail, let retryable, let recovery),
            .Cancelled(let code, let detail, let retryable, let recovery):
            self.init(code, detail, retryable, recovery, .closed)
        case .Authority(let code, let detail, let retryable, let recovery):
            self.init(code, detail, retryable, recovery, .authority)
        case .Defect(let code, let detail, let retryable, let recovery):
            self.init(code, detail, retryable, recovery, .defect)
        }
    }

    private init(
        _ code: String, _ detail: String, _ retryable: Bool, _ recovery: WardlineFFI.Recovery, _ cause: Cause
    ) {
        self.init(
            code: code, detail: detail, isRetryable: retryable, recovery: Recovery(recovery), cause: cause)
    }
}

extension WardlineError.Recovery {
    init(_ recovery: WardlineFFI.Recovery) {
        self =
            switch recovery {
            case .retry: .retry
            case .unlock: .unlock
            case .changeTheMessage: .changeTheMessage
            case .chooseAnotherRecipient: .chooseAnotherRecipient
            case .freeSpace: .freeSpace
            case .enroll: .enroll
            case .updateTheApp: .updateTheApp
            case .askTheAdministrator: .askTheAdministrator
            case .askTheDeveloper: .askTheDeveloper
            }
    }
}

private func int(_ number: (some BinaryInteger)?) -> Int? {
    number.map { Int(clamping: $0) }
}
