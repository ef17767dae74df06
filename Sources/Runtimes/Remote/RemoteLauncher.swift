// SPDX-License-Identifier: MIT

import NIOCore
import Probe
import RuntimeContract
import Supervision

/// Runs lives that are nothing but the watch over a server that somebody else runs.
struct RemoteLauncher: Launcher {
    let group: any EventLoopGroup
    /// How long a name may take to be resolved.
    let resolutionLimit: Duration
    /// Encrypts connections to servers at `https` addresses.
    let secure: HTTPProbe.Secure?
    let livesOutliveSupervisor = false

    func run(_ life: Life, reports: LifeReports, stop: StopSignal) async -> LifeEnd {
        guard case .remote(let endpoints) = life.spec.source, endpoints.indices.contains(life.instance.ordinal) else {
            return .startFailed("no address is given for it")
        }
        let server = endpoints[life.instance.ordinal]
        let (stops, stopped) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        stop.onRequest { _ in stopped.finish() }
        return await withTaskGroup(of: LifeEnd.self) { tasks in
            tasks.addTask { await watch(server, life.spec, reports) }
            tasks.addTask {
                for await _ in stops {}
                return .exited("no longer wanted")
            }
            let end = await tasks.next() ?? .exited("no longer wanted")
            tasks.cancelAll()
            return end
        }
    }

    func canRun(_ newer: WorkloadSpec, beside older: WorkloadSpec) -> Bool { true }

    /// Nothing is kept.
    func forget(_ workload: WorkloadID) {}

    /// Asks the server again and again, until its name leads elsewhere or the task is cancelled.
    private func watch(_ server: RemoteEndpoint, _ spec: WorkloadSpec, _ reports: LifeReports) async -> LifeEnd {
        var fault = "the name \(server.host) has no address"
        var address: String?
        for candidate in await addresses(of: server) where address == nil {
            if let failure = await probe(candidate, server, spec).ask() { fault = failure } else { address = candidate }
        }
        guard let address else { return .startFailed(fault) }
        // What runs there can't be seen, so the server's life is its place: sessions go on when it is back, and a server
        // that has forgotten them says so itself.
        reports.placed(
            Incarnation("remote:\(server.authority)".utf8.count <= 128 ? "remote:\(server.authority)" : "remote:long"),
            endpoint: Self.endpoint(address, server))
        reports.probeSucceeded()
        var failures = 0
        while !Task.isCancelled {
            try? await Task.sleep(for: spec.readiness.period)
            guard !Task.isCancelled else { break }
            if let failure = await probe(address, server, spec).ask() {
                failures += 1
                guard failures >= spec.readiness.failureThreshold, !Task.isCancelled else { continue }
                reports.probeFailed("\(failure), \(failures) times in a row")
            } else {
                failures = 0
                reports.probeSucceeded()
            }
            // A name that leads elsewhere is followed; no answer at all says nothing.
            let addresses = await addresses(of: server)
            if !addresses.isEmpty, !addresses.contains(address) { return .exited("\(server.host) has moved") }
        }
        return .exited("no longer wanted")
    }

    private func addresses(of server: RemoteEndpoint) async -> [String] {
        await NameResolution(group: group, limit: resolutionLimit).addresses(of: server.host)
    }

    private func probe(_ address: String, _ server: RemoteEndpoint, _ spec: WorkloadSpec) -> HTTPProbe {
        HTTPProbe(
            group: group, endpoint: Self.endpoint(address, server), host: server.authority, method: "OPTIONS",
            path: spec.path, timeout: spec.readiness.timeout, secure: secure)
    }

    private static func endpoint(_ address: String, _ server: RemoteEndpoint) -> Endpoint {
        server.isEncrypted
            ? .tls(host: address, port: server.port, name: server.host) : .tcp(host: address, port: server.port)
    }
}
