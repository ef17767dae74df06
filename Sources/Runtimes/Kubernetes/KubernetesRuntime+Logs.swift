// SPDX-License-Identifier: MIT

internal import Curl
public import RuntimeContract

extension KubernetesRuntime {
    /// The log of the server's container, as the node keeps it.
    public func logs(of instance: InstanceID, options: LogOptions) async throws(RuntimeError) -> LogStream {
        let status = try await status(of: instance.workload)
        guard let found = status.instances.first(where: { $0.id == instance }) else {
            throw RuntimeError(.notFound, "there is no instance \(instance)", workload: instance.workload)
        }
        let pod = state.read { $0.podName(of: found) }
        var query = [(name: "container", value: FieldNames.container), (name: "timestamps", value: "true")]
        if options.follow { query.append(("follow", "true")) }
        if options.previous { query.append(("previous", "true")) }
        if let count = options.tailLines { query.append(("tailLines", "\(max(0, count))")) }
        // Whole seconds are all the server knows; the rest is cut off here.
        if let since = options.since { query.append(("sinceSeconds", "\(max(1, since.wholeSeconds))")) }
        var call = APICall("GET", "\(paths.pods)/\(pod)/log", query: query)
        if options.follow { call.deadlines.total = nil }
        let response: CurlResponse
        do throws(KubernetesError) {
            response = try await client.open(call)
        } catch {
            // 400: the container has no such log (yet).
            if error.code == .notFound || (error.code == .invalid && (options.previous || found.incarnation == nil)) {
                let what = options.previous ? "\(instance) has no previous log" : "there is no log of \(instance)"
                throw RuntimeError(.notFound, what, workload: instance.workload)
            }
            throw error.runtimeError(instance.workload)
        }
        let reader = PodLogReader(response.body, since: options.since, workload: instance.workload)
        return LogStream { () async throws(RuntimeError) in try await reader.next() }
    }
}
