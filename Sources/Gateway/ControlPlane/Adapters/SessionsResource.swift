// SPDX-License-Identifier: MIT

internal import HTTP
internal import JSON
internal import Model
internal import RuntimeContract

/// `GET /adapters/{name}/sessions`: the live sessions as this gateway knows them, without their ids.
struct SessionsResource: Sendable {
    let sessions: @Sendable (AdapterName) -> [SessionSummary]

    /// The sessions that were used last, and how many there are.
    func show(_ adapter: Adapter, _ request: HTTPRequest) throws(Problem) -> HTTPResponse {
        var query = QueryReader(request.query)
        let limit = query.integer("limit", in: 1...1000) ?? 1000
        try query.finish()
        let all = sessions(adapter.name)
        return .json(
            200,
            ["count": .integer(Int64(all.count)), "sessions": .array(all.prefix(limit).map(Self.json))] as JSONObject)
    }

    private static func json(_ session: SessionSummary) -> JSONValue {
        .object([
            "instance": .string(session.instance.description),
            // Requests of the modern era belong to no session.
            "era": "legacy",
            "transport": .string(session.kind.rawValue),
            "createdAt": .string(session.createdAt.iso8601),
            "lastUsedAt": .string(session.lastUsedAt.iso8601),
            "open": .integer(Int64(session.open)),
            "requests": .integer(Int64(session.requests)),
        ])
    }
}
