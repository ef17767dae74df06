// SPDX-License-Identifier: MIT

import MCPProtocol
public import Model
import RuntimeContract

extension DataPlane {
    /// The live sessions of `adapter` that this gateway has seen, those used last first.
    ///
    /// A list for people: sessions that went through other gateways only are not in it, nor those that were idle for
    /// as long as their adapter says.
    public func sessions(of adapter: AdapterName) -> [SessionSummary] {
        registry.sessions(of: adapter).map { entry in
            SessionSummary(
                kind: entry.kind == .eventStream ? .sse : .streamableHTTP, instance: entry.instance,
                createdAt: entry.openedAt, lastUsedAt: entry.lastUsedAt, open: entry.exchanges,
                requests: entry.requestCount)
        }
        .sorted { $0.lastUsedAt.millisecondsSinceEpoch > $1.lastUsedAt.millisecondsSinceEpoch }
    }
}
