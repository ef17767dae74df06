// SPDX-License-Identifier: MIT

import HTTP
import Logging
import MCPProtocol
import Metrics
import Model
import NIOCore
import Observability
import RuntimeContract

extension ProxyExchange {
    /// Chooses an instance for what is bound to none.
    func place(for purpose: Placement.Purpose) {
        if let instance = choose(for: purpose) { return start(instance) }
        guard !wait(for: purpose) else { return }
        // One that was being parked may have been given back in between.
        if let instance = choose(for: purpose) { return start(instance) }
        reject(unavailability)
    }

    /// Why no instance can be had.
    var unavailability: GatewayFault {
        guard let adapter else { return .unavailable(retryAfterSeconds: 1) }
        if adapter.isOverBudget { return .overBudget(retryAfterSeconds: 5) }
        return .unavailable(retryAfterSeconds: Placement.retryAfterSeconds(adapter.candidates, at: proxy.uptime))
    }

    func choose(for purpose: Placement.Purpose) -> InstanceTarget? {
        guard let adapter else { return nil }
        while let candidate = affinity.map({
            Placement.choose(by: $0, among: adapter.candidates, tried: tried, at: proxy.uptime)
        })
            ?? Placement.choose(
                for: purpose, among: adapter.candidates, tried: tried, at: proxy.uptime, using: &proxy.random)
        {
            switch candidate.load.admit(at: proxy.uptime) {
            case .admitted: return adapter.instance(candidate)
            case .admittedOnTrial:
                isTrial = true
                return adapter.instance(candidate)
            // Another loop was faster with the trial.
            case .refused: tried.append(candidate.endpoint.id)
            }
        }
        return nil
    }

    /// Tells that the instance did not serve the request.
    func noteFailure() {
        guard let instance else { return }
        isTrial = false
        guard instance.load.failed(at: proxy.uptime, proxy.configuration.ejection) else { return }
        adapter?.meters.ejections.increment()
        proxy.logger.warning(
            "an instance that fails again and again is left out for a while",
            metadata: [LogKey.instance: "\(instance.endpoint.id)", LogKey.endpoint: "\(instance.endpoint.endpoint)"])
    }

    /// The instance has begun to answer.
    @inline(__always)
    func noteSuccess() {
        isTrial = false
        instance?.load.succeeded()
    }

    func abandonTrial() {
        guard isTrial else { return }
        isTrial = false
        instance?.load.abandonTrial(at: proxy.uptime)
    }

    /// Waits for an instance that is being started, if one is: whoever deploys a server and connects to it need not
    /// try again until it is up.
    ///
    /// What has to flow while it is checked does not wait: it would have to be held.
    private func wait(for purpose: Placement.Purpose) -> Bool {
        guard let adapter, adapter.expectsInstances || adapter.candidates.contains(where: \.load.isClosed) else {
            return false
        }
        // Also for the next attempt of who can't wait.
        proxy.onWanted(adapter.route.name)
        guard tried.isEmpty, !isCheckedOnTheWay, proxy.beginWaiting(self) else { return false }
        stage = .waiting(purpose)
        if !isWatched {
            expiry = proxy.loop.sweep.deadline(after: proxy.configuration.startTimeout)
            proxy.loop.sweep.insert(self)
        }
        return true
    }

    /// The world has changed while the request was waiting; it no longer counts as waiting.
    func placeAgain() {
        guard case .waiting(let purpose) = stage, let name = adapter?.name else { return }
        guard let adapter = proxy.table.adapters[name] else { return respond(.adapterNotFound) }
        guard adapter.route.access.allowsUse(by: principal) else { return respond(.forbidden) }
        self.adapter = adapter
        place(for: purpose)
    }
}
