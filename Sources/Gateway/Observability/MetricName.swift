// SPDX-License-Identifier: MIT

/// The names of all metrics: `mcp_gateway_`, what is counted in the words of the docs, `_total` for what only grows.
///
/// Labels have few values: adapters yes, sessions, principals and paths never.
public enum MetricName: String, CaseIterable, Sendable {
    /// Answers to requests on the routes of adapters, by `adapter`, `method` and `status` (`2xx` …); an adapter that
    /// does not exist is the empty one.
    case requests = "mcp_gateway_requests_total"
    /// How long requests to an adapter took, from their head to the end of the answer; streams that stand open until somebody
    /// goes are not among them. What OpenTelemetry calls `mcp.server.operation.duration`, without the method: requests of
    /// sessions pass unread.
    case requestDuration = "mcp_gateway_request_duration_seconds"
    /// Requests and streams of an adapter that are not over.
    case requestsInFlight = "mcp_gateway_requests_in_flight"
    /// Sessions of an adapter that this gateway knows to be live.
    case sessions = "mcp_gateway_sessions"
    /// Sessions that this gateway has seen the first time.
    case sessionsOpened = "mcp_gateway_sessions_opened_total"
    /// Sessions that ended, or were idle for too long.
    case sessionsClosed = "mcp_gateway_sessions_closed_total"
    /// Connections to an instance that could not be made.
    case connectFailures = "mcp_gateway_upstream_connect_failures_total"
    /// Requests that were sent again, to the same or to another instance.
    case retries = "mcp_gateway_retries_total"
    /// How often an instance was left out of placement for its failures.
    case ejections = "mcp_gateway_ejections_total"
    /// Sessions that lost their instance and were begun anew on another, or could not be, by `outcome`.
    case sessionRecoveries = "mcp_gateway_session_recoveries_total"
    /// Resident memory of an instance, by `adapter` and `instance` (its ordinal).
    case instanceResidentBytes = "mcp_gateway_instance_resident_bytes"
    /// Processor time of the present life of an instance.
    case instanceProcessorSeconds = "mcp_gateway_instance_cpu_seconds"
    /// Processes of an instance.
    case instanceProcesses = "mcp_gateway_instance_processes"
    /// Instances that were stopped because nobody used them, by `cause`: `idle` for long enough, or for the `budget`.
    case parks = "mcp_gateway_parks_total"
    /// Parked instances that were started for a request.
    case wakes = "mcp_gateway_wakes_total"
    /// How often a request found that the server it needs may not be started, for want of room in the budget.
    case budgetWaits = "mcp_gateway_budget_waits_total"
    /// Attempts to bring a workload up to date, by `outcome`.
    case reconciles = "mcp_gateway_reconciles_total"
    /// Answers of the control plane, by `route`, `method` and `status`.
    case controlRequests = "mcp_gateway_control_requests_total"

    /// What it counts, for people.
    var help: String {
        switch self {
        case .requests: "Answers to requests on the routes of adapters"
        case .requestDuration: "How long requests took, standing streams excepted"
        case .requestsInFlight: "Requests and streams that are not over"
        case .sessions: "Live sessions"
        case .sessionsOpened: "Sessions seen the first time"
        case .sessionsClosed: "Sessions that ended or were idle for too long"
        case .connectFailures: "Connections to instances that could not be made"
        case .retries: "Requests that were sent again"
        case .ejections: "Instances left out of placement for their failures"
        case .sessionRecoveries: "Attempts to begin a lost session anew on another instance"
        case .instanceResidentBytes: "Resident memory of an instance, all its processes together"
        case .instanceProcessorSeconds: "Processor time of the present life of an instance"
        case .instanceProcesses: "Processes of an instance"
        case .parks: "Instances that were stopped because nobody used them"
        case .wakes: "Parked instances that were started for a request"
        case .budgetWaits: "Servers that a request needs and that had to wait for room in the budget"
        case .reconciles: "Attempts to bring a workload up to date"
        case .controlRequests: "Answers of the control plane"
        }
    }
}
