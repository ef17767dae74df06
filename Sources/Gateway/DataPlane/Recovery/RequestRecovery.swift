// SPDX-License-Identifier: MIT

import MCPProtocol
import NIOCore

/// What a request keeps while its lost session is begun once more.
///
/// An object of its own, so that what comes too late for the request finds no exchange. Confined to the loop of its
/// request.
final class RequestRecovery {
    /// How often one request is sent again at most.
    static let sendLimit = 4

    /// The request, until it is answered.
    weak var exchange: ProxyExchange?
    /// When the request is given up.
    let deadline: NIODeadline
    /// Where the server said that it does not know the session.
    var deniedBinding: SessionBinding?
    /// How often the request was sent, or could not be sent, in vain.
    var failures = 0
    /// How often it was sent in vain.
    var sends = 0
    /// Whether the request was complete when it began to wait.
    var wasComplete = false
    /// Whether it is counted among those that wait.
    var isWaiting = false
    /// Whether the client has the head of the answer already, an event stream without events so far.
    var continuesStream = false
    /// The body of an answer that is no event stream, to be sent as an event.
    var event: [UInt8]?

    init(_ exchange: ProxyExchange, deadline: NIODeadline) {
        self.exchange = exchange
        self.deadline = deadline
    }

    /// How long to wait before the instance is asked once more.
    var pause: TimeAmount { .milliseconds(50 << Int64(min(failures, 4))) }

    /// Tells the request how the recovery of its session ended.
    func recoveryEnded(_ outcome: SessionMemory.Outcome) {
        exchange?.recoveryEnded(outcome, self)
    }
}
