// SPDX-License-Identifier: MIT

internal import Logging
import Synchronization

/// Tells once when contact is lost, and once when it is back.
final class ContactLog: Sendable {
    private let logger: Logger
    private let what: String
    private let isInContact = Mutex(true)

    init(_ logger: Logger, what: String) {
        self.logger = logger
        self.what = what
    }

    func note(_ now: Bool, _ error: KubernetesError?) {
        let before = isInContact.withLock { state in
            defer { state = now }
            return state
        }
        guard before != now else { return }
        if now {
            logger.info("contact to the API server is back", metadata: ["resource": "\(what)"])
        } else {
            logger.warning(
                "contact to the API server is lost; the last known endpoints are kept",
                metadata: ["resource": "\(what)", "reason": "\(error?.description ?? "")"])
        }
    }
}
