// SPDX-License-Identifier: MIT

internal import RuntimeContract

extension PodState {
    /// What the contract knows of the instance that this pod is.
    ///
    /// - Parameters:
    ///   - generation: The generation that the pod satisfies.
    func status(generation: Int64) -> InstanceStatus {
        let (phase, reason) = phaseAndReason
        var endpoint: Endpoint?
        if phase.acceptsBoundSessions, case .running = container, let address {
            endpoint = .tcp(host: address, port: port)
        }
        return InstanceStatus(
            id: instance, incarnation: incarnation, generation: generation, phase: phase, reason: reason,
            endpoint: endpoint, restarts: restarts)
    }

    /// Pod and count of restarts; `nil` until the container was started.
    var incarnation: Incarnation? {
        switch container {
        case .running, .terminated: Incarnation("\(uid).\(restarts)")
        case .waiting where lastEnding != nil: Incarnation("\(uid).\(restarts)")
        case .waiting, .absent: nil
        }
    }

    /// How often the container ended in this pod, counting the end that no start has followed yet.
    ///
    /// The kubelet waits longer before every start, and counts those alone.
    var endings: Int {
        let isOver =
            switch container {
            case .terminated: true
            case .waiting: lastEnding != nil
            case .running, .absent: false
            }
        return restarts + (isOver ? 1 : 0)
    }

    private var phaseAndReason: (InstancePhase, PhaseReason?) {
        if isBeingDeleted {
            if case .terminated = container { return (.stopped, nil) }
            return (.draining, PhaseReason(.stopping, "the pod is being deleted"))
        }
        switch container {
        case .absent:
            if let unschedulable {
                return (.pending, PhaseReason(.unschedulable, "no node takes the pod: \(unschedulable)"))
            }
            return (isScheduled ? .starting : .pending, nil)
        case .waiting(let reason, let message): return Self.waiting(reason, message, lastEnding)
        case .terminated(let ending): return (.backingOff, PhaseReason(ending.code, ending.sentence))
        case .running(let startedAt, _):
            // Without an address nobody could send anything there.
            if isReady, address != nil { return (.ready, nil) }
            // What runs there may well go on; bound sessions are the only ones to find out.
            if isNodeLost, address != nil {
                return (.unready, PhaseReason(.contactLost, "the node that the pod runs on does not answer"))
            }
            // Times are whole seconds in one format and zone, so they can be compared as text. Readiness that was lost
            // after the start was there before; until the first probe it has not changed since the pod was made.
            if !isReady, address != nil, let startedAt, let readyChangedAt, readyChangedAt > startedAt {
                return (.unready, PhaseReason(.probeFailed, "it was ready and does not take connections any more"))
            }
            return (.starting, nil)
        }
    }

    private static func waiting(
        _ reason: String?, _ message: String?, _ last: Ending?
    ) -> (InstancePhase, PhaseReason?) {
        let detail = message.map { ": \($0.prefix(300))" } ?? ""
        switch reason {
        case "CrashLoopBackOff":
            let sentence =
                last.map { "it ends again and again; the last time it \($0.words)" } ?? "it ends again and again"
            return (.backingOff, PhaseReason(last?.reason == "OOMKilled" ? .outOfMemory : .crashLoop, sentence))
        case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull":
            return (.backingOff, PhaseReason(.imageNotFound, "the image can't be had (\(reason ?? ""))\(detail)"))
        case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError":
            return (.backingOff, PhaseReason(.startFailed, "the container can't be started (\(reason ?? ""))\(detail)"))
        default:
            return (.starting, nil)
        }
    }
}

extension PodState.Ending {
    var code: PhaseReason.Code { reason == "OOMKilled" ? .outOfMemory : .exited }

    var sentence: String { "it \(words)" }

    /// `ended with exit code 3`.
    var words: String {
        if reason == "OOMKilled" { return "used more memory than it may and was killed (OOMKilled)" }
        // 128 and more is how a runtime tells of a signal.
        let number = signal ?? (exitCode > 128 && exitCode < 165 ? exitCode - 128 : 0)
        switch number {
        case 0: return "ended with exit code \(exitCode)"
        case 6: return "was ended by SIGABRT (exit code \(exitCode))"
        case 9: return "was ended by SIGKILL (exit code \(exitCode))"
        case 11: return "was ended by SIGSEGV (exit code \(exitCode))"
        case 15: return "was ended by SIGTERM (exit code \(exitCode))"
        default: return "was ended by signal \(number) (exit code \(exitCode))"
        }
    }
}
