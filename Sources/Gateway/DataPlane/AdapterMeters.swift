// SPDX-License-Identifier: MIT

import Metrics
import Observability
import Synchronization
import Wire

/// What is counted for one adapter: made once, so that a request costs one atomic addition and no look-up.
final class AdapterMeters: Sendable {
    private static let methods = ["GET", "POST", "DELETE", "other"]
    private static let classes = ["2xx", "3xx", "4xx", "5xx"]

    private let requests: [Counter]
    /// See ``MetricName/requestDuration``.
    let durations: Timer
    /// See ``MetricName/sessionsOpened``.
    let sessionsOpened: Counter
    /// See ``MetricName/sessionsClosed``.
    let sessionsClosed: Counter
    /// See ``MetricName/connectFailures``.
    let connectFailures: Counter
    /// See ``MetricName/retries``.
    let retries: Counter
    /// See ``MetricName/ejections``.
    let ejections: Counter
    /// See ``MetricName/sessionRecoveries``, those that succeeded.
    let sessionsRecovered: Counter
    /// Those that did not.
    let sessionsNotRecovered: Counter
    private let inFlight: Gauge
    private let sessions: Gauge

    init(adapter: String) {
        let own = [("adapter", adapter)]
        requests = Self.methods.flatMap { method in
            Self.classes.map { status in
                Counter(
                    label: MetricName.requests.rawValue, dimensions: own + [("method", method), ("status", status)])
            }
        }
        durations = Timer(label: MetricName.requestDuration.rawValue, dimensions: own)
        func counter(_ name: MetricName) -> Counter { Counter(label: name.rawValue, dimensions: own) }
        sessionsOpened = counter(.sessionsOpened)
        sessionsClosed = counter(.sessionsClosed)
        connectFailures = counter(.connectFailures)
        retries = counter(.retries)
        ejections = counter(.ejections)
        let recoveries = { (outcome: String) in
            Counter(label: MetricName.sessionRecoveries.rawValue, dimensions: own + [("outcome", outcome)])
        }
        sessionsRecovered = recoveries("succeeded")
        sessionsNotRecovered = recoveries("failed")
        inFlight = Gauge(label: MetricName.requestsInFlight.rawValue, dimensions: own)
        sessions = Gauge(label: MetricName.sessions.rawValue, dimensions: own)
    }

    /// Counts an answer.
    func answered(_ method: RequestHead.Method, status: Int) {
        let row =
            switch method {
            case .get: 0
            case .post: 1
            case .delete: 2
            case .head, .options, .other: 3
            }
        requests[row * 4 + min(max(status / 100 - 2, 0), 3)].increment()
    }

    /// Sets what is looked at and not counted.
    func show(requests: Int, sessions: Int) {
        inFlight.record(requests)
        self.sessions.record(sessions)
    }

    /// Lets go of all series, once nothing is counted any more.
    func destroy() {
        let own = [
            sessionsOpened, sessionsClosed, connectFailures, retries, ejections, sessionsRecovered,
            sessionsNotRecovered,
        ]
        for counter in requests + own { counter.destroy() }
        durations.destroy()
        inFlight.destroy()
        sessions.destroy()
    }
}

/// The meters of all adapters, kept over changes of the endpoints.
///
/// Used when a snapshot is made, never per request.
final class AdapterMetersTable: Sendable {
    private let meters = Mutex<[String: AdapterMeters]>([:])

    /// Those of `adapter`.
    subscript(adapter: String) -> AdapterMeters {
        meters.withLock { meters in
            if let found = meters[adapter] { return found }
            let made = AdapterMeters(adapter: adapter)
            meters[adapter] = made
            return made
        }
    }

    /// Lets go of adapters that are no more.
    func forget(allBut adapters: some Sequence<String>) {
        let living = Set(adapters)
        let gone = meters.withLock { meters in
            let gone = meters.filter { !living.contains($0.key) && !$0.key.isEmpty }
            for name in gone.keys { meters[name] = nil }
            return gone.values
        }
        for meters in gone { meters.destroy() }
    }
}
