// SPDX-License-Identifier: MIT

public import HTTP
internal import Identity
internal import JSON
internal import Logging
internal import Metrics
internal import Model
internal import NIOCore
internal import Observability
internal import Tracing

/// Answers every request of the control plane.
///
/// Stateless but for what it is made of; any number of requests at once. A `HEAD` is answered as a `GET` is: the server
/// leaves the body out.
public struct ControlPlaneResponder: Responder {
    let adapters: AdapterResource
    let status: StatusResource
    let logs: LogsResource
    let sessions: SessionsResource
    let usage: UsageGauges
    let metadata: ResourceMetadata
    let projection: Projection
    let metrics: @Sendable () -> String
    let authenticate: ControlPlaneConfiguration.Authenticator
    let logger: Logger

    /// The answer to `request`; every failure is an answer too.
    public func respond(to request: HTTPRequest) async -> HTTPResponse {
        guard let route = ControlRoute(target: request.target) else {
            return Problem(.routeNotFound, "there is nothing at this path; /openapi.json says what there is").response
        }
        guard route.methods.contains(request.method) else {
            let allowed = route.methods.joined(separator: ", ")
            var problem = Problem(.methodNotAllowed, "this resource has only \(allowed)")
            problem.headers.set("Allow", allowed)
            return problem.response
        }
        let response = await withSpan("\(request.method) \(route.template)", ofKind: .server) { _ in
            do throws(Problem) {
                return try await answer(request, route)
            } catch {
                if error.code.status.code >= 500 {
                    logger.warning(
                        "a request failed", metadata: ["code": "\(error.code.rawValue)", "route": "\(route.template)"])
                }
                return error.response
            }
        }
        Counter(
            label: MetricName.controlRequests.rawValue,
            dimensions: [("route", route.template), ("method", request.method), ("status", String(response.status))]
        ).increment()
        return response
    }

    private func answer(_ request: HTTPRequest, _ route: ControlRoute) async throws(Problem) -> HTTPResponse {
        switch (route, request.method) {
        case (.health, _): return .json(200, ["status": "ok"] as JSONObject)
        case (.readiness, _): return readiness
        case (.contract, _): return Self.contract
        case (.resourceMetadata(let resource), _): return try metadata.show(resource)
        case (.metrics, _):
            _ = try await principal(of: request)
            await usage.update()
            return HTTPResponse(
                status: 200,
                headers: ["Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Cache-Control": "no-store"],
                body: .bytes(ByteBuffer(string: metrics())))
        case (.adapters, "POST"): return try await adapters.create(request, by: principal(of: request))
        case (.adapters, _): return try await adapters.list(request, by: principal(of: request))
        case (.adapter(let name), "PUT"): return try await adapters.replace(name, request, by: principal(of: request))
        case (.adapter(let name), "DELETE"):
            return try await adapters.delete(name, request, by: principal(of: request))
        case (.adapter(let name), _): return try await adapters.show(name, request, by: principal(of: request))
        case (.status(let name), _):
            let adapter = try await adapters.adapter(name, usableBy: principal(of: request))
            var query = QueryReader(request.query)
            try query.finish()
            return await status.show(adapter)
        case (.logs(let name), _):
            let adapter = try await adapters.adapter(name, usableBy: principal(of: request))
            return try await logs.show(adapter, request)
        case (.sessions(let name), _):
            let adapter = try await adapters.adapter(name, usableBy: principal(of: request))
            return try sessions.show(adapter, request)
        }
    }

    private func principal(of request: HTTPRequest) async throws(Problem) -> Principal {
        do throws(AuthenticationError) {
            return try await authenticate(request)
        } catch {
            throw Problem(error, metadata.resources)
        }
    }

    private var readiness: HTTPResponse {
        switch projection.readiness {
        case .ready: return .json(200, ["status": "ready"] as JSONObject)
        case .recovering(let reason):
            let words = reason.map { ": \($0)" } ?? ""
            return Problem(.notReady, "still finding out what runs from before\(words)").response
        case .stopping: return Problem(.notReady, "the gateway is stopping").response
        }
    }

    private static let contract = HTTPResponse(
        status: 200, headers: ["Content-Type": "application/json", "Cache-Control": "no-cache"],
        body: .bytes(ByteBuffer(staticString: openAPIDocument)))
}
