// SPDX-License-Identifier: MIT

internal import Curl
internal import JSON

/// Calls the API server.
struct KubernetesClient: Sendable {
    /// The largest answer that is read at once; lists come in chunks that stay far below.
    static let maximumAnswer = 64 << 20

    let credentials: CredentialSource
    let curl: CurlClient
    var retry = RetryRule()

    /// Calls, and reads the whole answer; tried again as ``RetryRule`` says.
    func call(_ call: APICall) async throws(KubernetesError) -> JSONValue {
        let start = ContinuousClock.now
        var attempt = 0
        while true {
            do throws(KubernetesError) {
                let response = try await open(call)
                let bytes: [UInt8]
                do throws(CurlError) {
                    bytes = try await response.collect(maximumBytes: Self.maximumAnswer)
                } catch {
                    throw KubernetesError(error)
                }
                do throws(JSONError) {
                    return try JSONParser.parse(bytes)
                } catch {
                    throw KubernetesError(.malformed, "the API server's answer is not JSON: \(error)")
                }
            } catch {
                attempt += 1
                let elapsed = ContinuousClock.now - start
                guard
                    let pause = retry.pause(
                        after: error, attempt: attempt, elapsed: elapsed, random: Double.random(in: 0..<1))
                else { throw error }
                do {
                    try await Task.sleep(for: pause)
                } catch {
                    throw KubernetesError(.cancelled, "cancelled while waiting to try again")
                }
            }
        }
    }

    /// The object, or `nil` when there is none.
    func find(_ path: String) async throws(KubernetesError) -> JSONValue? {
        do throws(KubernetesError) {
            return try await call(APICall("GET", path))
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    /// Calls, and returns once a good answer has begun; never tried again, except with new credentials.
    func open(_ call: APICall) async throws(KubernetesError) -> CurlResponse {
        do throws(KubernetesError) {
            return try await openOnce(call)
        } catch {
            guard error.code == .unauthorized else { throw error }
            // The token may have been replaced since it was read.
            credentials.refuse()
            return try await openOnce(call)
        }
    }

    private func openOnce(_ call: APICall) async throws(KubernetesError) -> CurlResponse {
        let grant = try await credentials.grant()
        var trust = credentials.access.trust
        trust.identity = grant.identity
        var headers = [(name: "Accept", value: "application/json"), (name: "User-Agent", value: FieldNames.manager)]
        if let authorization = grant.authorization { headers.append(("Authorization", authorization)) }
        if call.body != nil { headers.append(("Content-Type", call.contentType)) }
        let request = CurlRequest(
            call.method, credentials.access.server + call.target, headers: headers, body: call.body?.bytes,
            trust: trust,
            deadlines: call.deadlines)
        let response: CurlResponse
        let body: [UInt8]
        do throws(CurlError) {
            response = try await curl.send(request)
            if response.head.status / 100 == 2 { return response }
            body = try await response.collect(maximumBytes: 1 << 20)
        } catch {
            throw KubernetesError(error)
        }
        throw KubernetesError(status: response.head.status, head: response.head, body: body)
    }
}
