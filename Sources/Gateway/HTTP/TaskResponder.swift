// SPDX-License-Identifier: MIT

internal import NIOCore

/// Lets a ``Responder`` answer on a task of its own, and carries its answer back to the loop.
///
/// Confined to the loop.
public final class TaskResponder: LoopResponder {
    private let responder: any Responder

    /// Answers through `responder`.
    public init(_ responder: any Responder) {
        self.responder = responder
    }

    /// Starts the task, which is cancelled when the client goes away.
    public func respond(to request: HTTPRequest, on exchange: HTTPExchange) {
        let carrier = NIOLoopBound(exchange, eventLoop: exchange.eventLoop)
        let responder = responder
        let writable = WritableSignal()
        // Cancelled by the exchange when the client goes away; otherwise it ends with the answer.
        let task = Task { @Sendable in
            let response = await responder.respond(to: request)
            await TaskResponder.send(response, to: carrier, writable: writable)
        }
        exchange.onClientGone = {
            task.cancel()
            writable.signal()
        }
        exchange.onDrain = {
            task.cancel()
            writable.signal()
        }
        exchange.onWritabilityChanged = { writable.signal() }
    }

    private static func send(
        _ response: HTTPResponse, to carrier: NIOLoopBound<HTTPExchange>, writable: WritableSignal
    ) async {
        let loop = carrier.eventLoop
        switch response.body {
        case .bytes(let body):
            loop.execute {
                carrier.value.respond(status: response.status, headers: response.headers, body: body)
            }
        case .stream(let stream):
            let takesBody = try? await loop.submit {
                carrier.value.begin(status: response.status, headers: response.headers)
                carrier.value.isEndless = stream.isEndless
                return carrier.value.takesBody
            }.get()
            // The answer to a HEAD would otherwise be as long as a body that nobody sees.
            while takesBody == true, !Task.isCancelled, let piece = await stream.next() {
                // The next piece is asked for only when this one leaves: that is the back pressure.
                var isTaken = try? await loop.submit {
                    carrier.value.write(piece)
                    return carrier.value.isWritable || !carrier.value.isOpen
                }.get()
                while isTaken == false, !Task.isCancelled {
                    await writable.wait()
                    // The signal may be an older one, or say that the opposite is the case.
                    isTaken = try? await loop.submit { carrier.value.isWritable || !carrier.value.isOpen }.get()
                }
            }
            loop.execute { carrier.value.end() }
        }
    }
}
