// SPDX-License-Identifier: MIT

internal import Model
internal import RuntimeContract
internal import Store

extension Problem {
    /// All faults of a body that is JSON but no adapter.
    init(_ error: ValidationError) {
        let fields = Set(error.faults.map(\.field)).count
        self.init(
            .invalidAdapter, "\(fields == 1 ? "one field is" : "\(fields) fields are") not as they must be",
            faults: error.faults)
    }

    /// What the store could not do.
    init(_ error: StoreError) {
        switch error.code {
        case .diskFull: self.init(.storageFull, "no room is left to store the change: nothing was changed")
        case .busy: self.init(.unavailable, "the store is busy: nothing was changed, try again")
        // The message names files of the gateway's host: it is for the log, not for the client.
        case .schemaTooNew, .locked, .corrupt, .constraint, .io:
            self.init(.internalError, "the store failed: the gateway's log says why")
        }
    }

    /// What could not be written.
    init(_ error: AuthorityError) {
        switch error {
        case .store(let error): self.init(error)
        case .unavailable(let message): self.init(.unavailable, message)
        case .refused(let message): self.init(.invalidAdapter, message)
        case .failed(let message): self.init(.runtimeFailed, message)
        }
    }

    /// What the runtime could not do.
    init(_ error: RuntimeError) {
        switch error.code {
        case .invalidSpec, .unsupported: self.init(.invalidAdapter, error.message)
        case .notFound: self.init(.instanceNotFound, error.message)
        case .superseded, .conflict: self.init(.conflict, error.message)
        case .unavailable, .capacityExceeded: self.init(.unavailable, error.message)
        // Only a client that has gone away is ever answered so.
        case .cancelled: self.init(.unavailable, "the request was cancelled")
        case .timedOut: self.init(.runtimeTimedOut, error.message)
        case .forbidden, .failed: self.init(.runtimeFailed, error.message)
        }
    }

    static let noSuchAdapter = Problem(.adapterNotFound, "there is no adapter of this name")
}
