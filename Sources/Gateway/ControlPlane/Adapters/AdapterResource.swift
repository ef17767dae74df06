// SPDX-License-Identifier: MIT

internal import HTTP
internal import JSON
internal import Model
internal import RuntimeContract
internal import Store

/// Creates, shows, replaces and deletes adapters.
struct AdapterResource: Sendable {
    /// The most adapters on a page, and how many there are if nothing is said.
    static let maximumPage = 1000

    let store: AdapterStore
    let authority: any AdapterAuthority
    let driver: any RuntimeDriver
    let configuration: ControlPlaneConfiguration
    let projection: Projection

    /// `GET /adapters`: the adapters that `principal` may use, ordered by name, a page at a time.
    func list(_ request: HTTPRequest, by principal: Principal) async throws(Problem) -> HTTPResponse {
        var query = QueryReader(request.query)
        let limit = query.integer("limit", in: 1...Self.maximumPage) ?? Self.maximumPage
        let after = query.text("after", { AdapterName($0) != nil }, "must be the name of an adapter")
        try query.finish()
        // One more than the page holds tells whether there is another page.
        var found: [Adapter] = []
        var last = after.flatMap { AdapterName($0) }
        while found.count <= limit {
            let batch = try await stored { () throws(StoreError) in
                try await store.adapters(after: last, limit: limit + 1)
            }
            found += batch.filter { $0.access.allowsUse(by: principal) }
            guard batch.count == limit + 1, let end = batch.last else { break }
            last = end.name
        }
        let page = found.prefix(limit)
        var headers = HTTPHeaders()
        if found.count > limit, let end = page.last {
            headers.set("Link", "</adapters?limit=\(limit)&after=\(end.name)>; rel=\"next\"")
        }
        return .json(200, .array(page.map { .object($0.json) }), headers: headers)
    }

    /// `POST /adapters`; waits for a while for the servers of a deleted adapter of the same name to end.
    func create(_ request: HTTPRequest, by principal: Principal) async throws(Problem) -> HTTPResponse {
        var query = QueryReader(request.query)
        try query.finish()
        try mayDeploy(principal)
        let draft = try draft(request, name: .required)
        let moment = configuration.now()
        let adapter = Adapter(
            name: draft.name, uid: .random(in: 1...UInt64.max), spec: try spec(of: draft, keepingSecretsOf: nil),
            createdBy: principal.id, createdAt: moment, lastUpdatedAt: moment)
        try validate(adapter)
        let created = try await untilDeleted { () throws(Problem) in
            try await change(adapter.name) { (stored) throws(Problem) in
                switch stored?.isDeleted {
                case nil: return .create(adapter)
                case false: throw Problem(.adapterExists, "there is an adapter of this name already")
                case true:
                    throw Problem(
                        .adapterBeingDeleted,
                        "an adapter of this name is still being deleted: try again when its servers have ended")
                }
            }
        }
        // The authority may have given it another identity.
        let shown = created?.adapter ?? adapter
        return .json(201, shown.json, headers: ["Location": "/adapters/\(shown.name)", "ETag": shown.etag])
    }

    /// `GET /adapters/{name}`.
    func show(_ name: String, _ request: HTTPRequest, by principal: Principal) async throws(Problem) -> HTTPResponse {
        var query = QueryReader(request.query)
        try query.finish()
        let adapter = try await adapter(name, usableBy: principal)
        if try EntityTagCondition("If-None-Match", of: request.headers).matchesWeakly(adapter.etag) {
            return HTTPResponse(status: 304, headers: ["ETag": adapter.etag, "Cache-Control": "no-cache"])
        }
        // Unlike other answers it may be kept, as long as it is asked each time whether it still holds.
        var response = HTTPResponse.json(200, adapter.json, headers: ["ETag": adapter.etag])
        response.headers.set("Cache-Control", "private, no-cache")
        return response
    }

    /// `PUT /adapters/{name}`: all fields anew; what is not given has its default.
    func replace(
        _ name: String,
        _ request: HTTPRequest,
        by principal: Principal
    ) async throws(Problem) -> HTTPResponse {
        var query = QueryReader(request.query)
        try query.finish()
        let condition = try EntityTagCondition("If-Match", of: request.headers)
        // Whether there is something to replace comes before what it is to be replaced with.
        let name = try await adapter(name, usableBy: principal).name
        try mayDeploy(principal)
        let draft = try draft(request, name: .optional(name))
        guard draft.name == name else {
            throw Problem(
                .conflict, "an adapter can't be renamed",
                faults: [FieldFault("name", .conflict, "must be the name in the path")])
        }
        let moment = configuration.now()
        let after = try await change(name) { (stored) throws(Problem) in
            let adapter = try Self.changeable(stored, by: principal, condition)
            let changed = adapter.changed(to: try spec(of: draft, keepingSecretsOf: adapter.spec), at: moment)
            try validate(changed)
            return changed == adapter ? .keep : .replace(changed)
        }
        guard let adapter = after?.adapter else { throw .noSuchAdapter }
        return .json(200, adapter.json, headers: ["ETag": adapter.etag])
    }

    /// `DELETE /adapters/{name}`: a tombstone stays until the runtime has cleaned up.
    func delete(
        _ name: String,
        _ request: HTTPRequest,
        by principal: Principal
    ) async throws(Problem) -> HTTPResponse {
        var query = QueryReader(request.query)
        try query.finish()
        let condition = try EntityTagCondition("If-Match", of: request.headers)
        guard let name = AdapterName(name) else { throw .noSuchAdapter }
        let moment = configuration.now()
        try await change(name) { (stored) throws(Problem) in
            _ = try Self.changeable(stored, by: principal, condition)
            return .delete(at: moment)
        }
        return HTTPResponse(status: 204)
    }

    /// The adapter called `name`, if `principal` may use it.
    ///
    /// - Throws: `adapterNotFound`, `forbidden`.
    func adapter(_ name: String, usableBy principal: Principal) async throws(Problem) -> Adapter {
        guard let name = AdapterName(name) else { throw .noSuchAdapter }
        await authority.refresh(name)
        let found = try await stored { () throws(StoreError) in try await store.adapter(named: name) }
        guard let found, !found.isDeleted else { throw .noSuchAdapter }
        guard found.adapter.access.allowsUse(by: principal) else {
            throw Problem(.forbidden, "using this adapter takes one of the roles that it requires")
        }
        return found.adapter
    }
}

// MARK: - Steps

extension AdapterResource {
    /// Whoever deploys can run programs, so that who may is told apart from who may use what runs.
    private func mayDeploy(_ principal: Principal) throws(Problem) {
        guard let roles = configuration.deployRoles, !principal.isAdministrator,
            roles.isDisjoint(with: principal.roles)
        else { return }
        throw Problem(
            .forbidden,
            "creating and changing adapters takes one of the roles \(roles.sorted().joined(separator: ", "))")
    }

    private static func changeable(
        _ stored: StoredAdapter?,
        by principal: Principal,
        _ condition: EntityTagCondition
    ) throws(Problem) -> Adapter {
        guard let stored, !stored.isDeleted else { throw .noSuchAdapter }
        guard stored.adapter.access.allowsChange(by: principal) else {
            throw Problem(.forbidden, "only its creator and administrators may change this adapter")
        }
        guard condition.allowsChange(of: stored.adapter.etag) else {
            throw Problem(
                .preconditionFailed, "the adapter has changed since it was read: read it again, then change it")
        }
        return stored.adapter
    }

    /// Tries `body` again while what it meets is still being deleted, for as long as the configuration says.
    private func untilDeleted(
        _ body: () async throws(Problem) -> StoredAdapter?
    ) async throws(Problem) -> StoredAdapter? {
        let pause = Duration.milliseconds(50)
        var left = configuration.deletionTimeout
        while true {
            do throws(Problem) {
                return try await body()
            } catch {
                guard error.code == .adapterBeingDeleted, left > .zero,
                    (try? await configuration.clock.sleep(for: pause)) != nil
                else { throw error }
                left -= pause
            }
        }
    }

    private func draft(_ request: HTTPRequest, name: AdapterDraft.NameRule) throws(Problem) -> AdapterDraft {
        let json = try request.json(maximumBytes: configuration.maximumBodyBytes)
        do { return try AdapterDraft(json, name: name, limits: configuration.limits) } catch { throw Problem(error) }
    }

    private func spec(
        of draft: AdapterDraft,
        keepingSecretsOf stored: AdapterSpec?
    ) throws(Problem) -> AdapterSpec {
        do {
            return try draft.spec(keepingSecretsOf: stored)
        } catch {
            // Not the body is wrong, but what is stored does not go with it.
            throw Problem(.conflict, "a secret that is to be kept is not stored", faults: error.faults)
        }
    }

    /// Asks the driver, before anything is stored, whether it could run this.
    private func validate(_ adapter: Adapter) throws(Problem) {
        do { try driver.validate(adapter.workload(on: driver, configuration)) } catch { throw Problem(error) }
    }

    private func stored<Value>(
        _ body: () async throws(StoreError) -> Value
    ) async throws(Problem) -> Value {
        do { return try await body() } catch { throw Problem(error) }
    }

    @discardableResult
    private func change(
        _ name: AdapterName,
        _ decide: @Sendable (StoredAdapter?) throws(Problem) -> AdapterChange
    ) async throws(Problem) -> StoredAdapter? {
        guard !configuration.writesNeedRuntime || projection.snapshot.isReachable else {
            throw Problem(
                .unavailable, "the \(driver.capabilities.name) runtime can't be reached: nothing was changed, try again"
            )
        }
        let result: Result<StoredAdapter?, Problem>
        do { result = try await authority.change(name, decide) } catch { throw Problem(error) }
        return try result.get()
    }
}
