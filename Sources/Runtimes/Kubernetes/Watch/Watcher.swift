// SPDX-License-Identifier: MIT

internal import Curl
internal import JSON

/// Does what a ``WatchMachine`` says, and tells of each change.
struct Watcher<Object: WatchedObject>: Sendable {
    /// How many objects a chunk of a list has.
    static var chunk: Int { 500 }
    /// How long the server lets a watch go on; ours is longer, so that it is the server who ends it.
    static var watchSeconds: Int { 240 }

    let client: KubernetesClient
    /// The collection: `/api/v1/namespaces/x/pods`.
    let path: String
    let selector: String
    /// Hears of the machine's state after everything that happens to it.
    let changed: @Sendable (borrowing WatchMachine<Object>) -> Void

    /// Works until cancelled.
    func run() async {
        var machine = WatchMachine<Object>()
        while !Task.isCancelled {
            if machine.pause > .zero {
                do { try await Task.sleep(for: machine.pause) } catch { return }
            }
            do throws(KubernetesError) {
                switch machine.next {
                case .list(let continuation): machine.listed(try await list(continuation))
                case .watch(let version): try await watch(version, &machine)
                }
            } catch {
                if error.code == .cancelled { return }
                machine.failed(error)
            }
            tell(&machine)
        }
    }

    private func tell(_ machine: inout WatchMachine<Object>) {
        changed(machine)
        machine.told()
    }

    private func list(_ continuation: String?) async throws(KubernetesError) -> JSONValue {
        var query = [(name: "labelSelector", value: selector), (name: "limit", value: "\(Self.chunk)")]
        if let continuation { query.append(("continue", continuation)) }
        return try await client.call(APICall("GET", path, query: query))
    }

    private func watch(_ version: String, _ machine: inout WatchMachine<Object>) async throws(KubernetesError) {
        var call = APICall(
            "GET", path,
            query: [
                ("labelSelector", selector), ("watch", "true"), ("allowWatchBookmarks", "true"),
                ("resourceVersion", version), ("timeoutSeconds", "\(Self.watchSeconds)"),
            ])
        call.deadlines.total = .seconds(Self.watchSeconds + 30)
        let response = try await client.open(call)
        machine.watching()
        tell(&machine)
        var lines = LineSplitter(maximumBytes: 8 << 20, excess: .fail)
        while true {
            let piece: [UInt8]?
            do throws(CurlError) {
                piece = try await response.body.next()
            } catch {
                throw KubernetesError(error)
            }
            guard let piece else { break }
            let complete = lines.append(piece)
            guard !lines.hasOverflowed else { throw KubernetesError(.malformed, "an event of more than 8 MiB") }
            for line in complete {
                guard let event = try? JSONParser.parse(line) else {
                    throw KubernetesError(.malformed, "an event of a watch is not JSON")
                }
                guard machine.received(event) else { return }
            }
            if !complete.isEmpty { tell(&machine) }
        }
        machine.ended()
    }
}
