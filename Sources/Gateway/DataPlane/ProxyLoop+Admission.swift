// SPDX-License-Identifier: MIT

import HTTP
import Identity
import MCPProtocol
import Model
import NIOCore
import Wire

#if canImport(Glibc)
import Glibc
#endif

/// Who sends a request, or why it is not let in.
typealias Sender = Result<Principal, AuthenticationError>

extension Sender {
    /// The same, where there is no more waiting.
    var settled: Sender {
        if case .failure(.undecided) = self { .failure(.unavailable) } else { self }
    }
}

extension ProxyLoop {
    /// The one who sends the request for the adapter that `path` names.
    func sender(of request: RequestView, _ path: AdapterPath) -> Sender {
        do {
            return .success(
                try admission.principal(
                    Credentials(authorization: request.value(of: .authorization)), adapter: path.name, now: Self.seconds
                ))
        } catch {
            return .failure(error)
        }
    }

    /// Lets the request wait until it can be told who sends it; `nil` where too many wait.
    func wait(_ request: RequestView, _ path: AdapterPath, _ exchange: ProxyExchange) -> UndecidedRequest? {
        let undecided = UndecidedRequest(request, path, exchange, proxy: self)
        let bound = NIOLoopBound(undecided, eventLoop: eventLoop)
        let eventLoop = eventLoop
        // Not at once, even if it is decided by now: the request is being routed still.
        guard authenticator.whenDecided({ eventLoop.execute { bound.value.decided() } }) else { return nil }
        return undecided
    }

    /// The fault for a request to `path` that is not let in.
    func fault(_ error: AuthenticationError, _ path: AdapterPath) -> GatewayFault {
        let challenge = { self.configuration.resources?.challenge(error, for: path.resource) ?? "Bearer" }
        return switch error {
        case .missing, .invalid: .unauthorized(challenge: challenge())
        case .insufficientScope: .insufficientScope(challenge: challenge())
        case .undecided, .unavailable: .identityUnknown(retryAfterSeconds: 5)
        }
    }

    /// The time that tokens end by: the clock of the wall as it is now, however often it was set.
    private static func seconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec)
    }
}

extension AdapterPath {
    /// What a token has to be good for: messages belong to the stream that they are posted for.
    var resource: ProtectedResource { .adapter(name, endpoint: route == .mcp ? .mcp : .sse) }
}
