// SPDX-License-Identifier: MIT

import Model
import RuntimeContract

/// An instance that a request could go to.
struct PlacementCandidate: Sendable {
    /// The instance.
    let endpoint: InstanceEndpoint
    /// How busy it is.
    let load: PlacementLoad
}

/// Chooses the instance for a request that is bound to none.
///
/// Pure but for the load it reads; O(candidates), allocates nothing.
enum Placement {
    /// What is placed.
    enum Purpose: Hashable, Sendable {
        /// A request that begins a session: fewest sessions first, then fewest requests.
        case session
        /// A request on its own: fewest requests.
        case request
    }

    /// The least busy of `candidates` that takes new sessions and is not among `tried`; equals are drawn by lot.
    ///
    /// One that is left out for its failures until after `now` is not chosen. `nil` where there is none. `generator` decides among equals only, so that several gateways with the same view
    /// don't all choose the first.
    static func choose(
        for purpose: Purpose, among candidates: [PlacementCandidate], tried: [InstanceID] = [],
        at now: UInt64 = .max, using generator: inout some RandomNumberGenerator
    ) -> PlacementCandidate? {
        var best: PlacementCandidate?
        var bestSessions = Int.max
        var bestRequests = Int.max
        var equals = 0
        for candidate in candidates where candidate.endpoint.acceptsNewSessions {
            if tried.contains(candidate.endpoint.id) || candidate.load.closedUntil > now { continue }
            if candidate.load.isClosed { continue }
            let sessions = purpose == .session ? candidate.load.sessions : 0
            let requests = candidate.load.requests
            if (sessions, requests) < (bestSessions, bestRequests) {
                (best, bestSessions, bestRequests, equals) = (candidate, sessions, requests, 1)
            } else if sessions == bestSessions, requests == bestRequests {
                // The n-th of n equals is taken with a chance of 1/n, which is fair to all of them.
                equals += 1
                if Int.random(in: 0..<equals, using: &generator) == 0 { best = candidate }
            }
        }
        return best
    }

    /// In how many seconds one of `candidates` is taken in again that is left out for its failures; 1 where none is.
    static func retryAfterSeconds(_ candidates: [PlacementCandidate], at now: UInt64) -> Int {
        let moments = candidates.lazy.filter(\.endpoint.acceptsNewSessions).map(\.load.closedUntil)
            .filter { $0 > now && $0 < .max }
        guard let moment = moments.min() else { return 1 }
        return Int(clamping: (moment - now + 999_999_999) / 1_000_000_000)
    }
}
