// SPDX-License-Identifier: MIT

import Curl
import JSON

/// Fetches the keys of an issuer: first the document that says where they are, then the keys.
struct KeyFetcher: Sendable {
    /// Larger documents are not read.
    private static let maximumBytes = 1 << 20

    let issuer: String
    /// Certificates of authorities (PEM) to trust beside those of the system.
    let authorities: [UInt8]?
    private let client = CurlClient(maximumTransfers: 4)

    init(issuer: String, authorities: [UInt8]?) {
        self.issuer = issuer
        self.authorities = authorities
    }

    /// The keys that the issuer has now; takes a minute at most.
    ///
    /// - Throws: what every place said, if none had them, or `CancellationError`.
    func keys() async throws -> KeySet {
        var reasons: [String] = []
        for location in IssuerMetadata.locations(of: issuer) {
            do {
                let url = try IssuerMetadata.keysURL(try await document(at: location), issuer: issuer)
                let document = try await document(at: url)
                guard let keys = KeySet(document) else {
                    throw FetchError("\(url) has no key that tokens are signed with")
                }
                return keys
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                reasons.append("\(location): \(error)")
            }
        }
        throw FetchError(reasons.joined(separator: "; "))
    }

    private func document(at url: String) async throws -> JSONValue {
        do {
            return try await document(at: url, authorities: nil)
        } catch let error as CurlError where error.code == .untrusted && authorities != nil {
            return try await document(at: url, authorities: authorities)
        }
    }

    private func document(at url: String, authorities: [UInt8]?) async throws -> JSONValue {
        let request = CurlRequest(
            "GET", url, headers: [("Accept", "application/json")], trust: CurlTrust(authorities: authorities),
            deadlines: CurlDeadlines(connect: .seconds(5), head: .seconds(5), total: .seconds(10)))
        do {
            let answer = try await client.send(request)
            // Redirections are not followed: what is trusted is the address that was configured.
            guard answer.head.status == 200 else { throw FetchError("the answer is \(answer.head.status)") }
            return try JSONParser.parse(try await answer.collect(maximumBytes: Self.maximumBytes))
        } catch let error as CurlError where error.code == .cancelled {
            throw CancellationError()
        } catch let error as JSONError {
            throw FetchError("the answer is not JSON: \(error)")
        }
    }
}
