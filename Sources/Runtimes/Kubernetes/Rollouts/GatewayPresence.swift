// SPDX-License-Identifier: MIT

internal import Curl
internal import Logging
internal import RuntimeContract
import Synchronization

/// Says to the other gateways that this one is there, and which pods it does not need, by a Lease of its own; and knows
/// theirs.
final class GatewayPresence: Sendable {
    private struct State {
        var peers: GatewayPeers
        /// When each life was last said to be without sessions here.
        var hints: [Incarnation: Duration] = [:]
        var written: Set<String> = []
    }

    /// A hint that is not given again within this time does not hold any more.
    private static let hintDuration = Duration.seconds(5)
    /// How often the Lease may be written for the sake of hints.
    private static let shortestPause = Duration.milliseconds(500)

    private let client: KubernetesClient
    private let path: String
    private let leases: String
    private let logger: Logger
    private let state: Mutex<State>
    private let start = ContinuousClock.now

    init(client: KubernetesClient, paths: ResourcePaths, logger: Logger) {
        self.client = client
        self.logger = logger
        leases = paths.leases
        let digits = String(UInt64.random(in: 0...UInt64.max), radix: 16)
        let name = GatewayLease.prefix + String(repeating: "0", count: 16 - digits.count) + digits
        path = "\(paths.leases)/\(name)"
        state = Mutex(State(peers: GatewayPeers(name: name)))
    }

    private var now: Duration { start.duration(to: .now) }

    /// Whether this gateway drives roll-outs.
    var isLeader: Bool {
        let now = now
        return state.withLock { $0.peers.isLeader(at: now) }
    }

    /// This life has no sessions here, and gets none any more.
    func release(_ life: Incarnation) {
        let now = now
        state.withLock { $0.hints[life] = now }
    }

    /// Whether no gateway has a session on this life of a pod, as far as that can be known.
    func isReleased(_ life: Incarnation, created: Timestamp) -> Bool {
        let now = now
        return state.withLock { state in
            guard let hint = state.hints[life], now - hint < Self.hintDuration else { return false }
            return state.peers.isReleased(life, created: created, at: now)
        }
    }

    /// Works until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.watch() }
            group.addTask { await self.renew() }
        }
    }

    private func watch() async {
        let contact = ContactLog(logger, what: "leases")
        await Watcher<GatewayLease>(client: client, path: leases, selector: FieldNames.ours) { [self] machine in
            contact.note(machine.isInContact, machine.lastError)
            let now = now
            let objects = machine.objects
            state.withLock { $0.peers.follow(objects, at: now) }
        }.run()
    }

    private func renew() async {
        var last: Duration?
        var isFailing = false
        while !Task.isCancelled {
            let idle = idle
            let isDue = last.map { now - $0 >= GatewayLease.period } ?? true
            if isDue || idle != state.withLock(\.written) {
                do throws(KubernetesError) {
                    try await write(idle, hasEnded: false)
                    last = now
                    isFailing = false
                } catch {
                    if error.code == .cancelled { return }
                    if !isFailing {
                        logger.warning(
                            "the gateway's Lease can't be written; roll-outs wait",
                            metadata: ["reason": "\(error.description)"])
                    }
                    isFailing = true
                }
            }
            do { try await Task.sleep(for: Self.shortestPause) } catch { return }
        }
    }

    /// What is to be said now; forgets hints that hold no more.
    private var idle: Set<String> {
        let now = now
        return state.withLock { state in
            state.hints = state.hints.filter { now - $0.value < Self.hintDuration }
            return Set(state.hints.keys.map(\.rawValue))
        }
    }

    private func write(_ idle: Set<String>, hasEnded: Bool) async throws(KubernetesError) {
        let name = state.withLock(\.peers.name)
        var call = APICall.apply(
            path, GatewayLease.manifest(name: name, idle: idle, hasEnded: hasEnded, at: .now))
        // Later than this it would be no use.
        call.deadlines.total = .seconds(4)
        _ = try await client.call(call)
        state.withLock { $0.written = idle }
    }

    /// Says that this gateway is gone, so that another one need not wait to find out.
    func end() async {
        try? await write([], hasEnded: true)
    }

    /// Removes what gateways have left that are gone for long.
    func removeObsolete() async {
        let now = now
        for name in state.withLock({ $0.peers.obsolete(at: now, .now) }) {
            _ = try? await client.call(APICall("DELETE", "\(leases)/\(name)"))
        }
    }
}
