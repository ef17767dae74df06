// SPDX-License-Identifier: MIT

/// What a driver knows of a workload now.
public struct WorkloadStatus: Hashable, Sendable {
    /// The workload.
    public var id: WorkloadID
    /// The newest generation that the driver has taken up.
    public var observedGeneration: Int64
    /// How many instances are wanted.
    public var desiredReplicas: Int
    /// What is run, in words for people: `name:version`, or the program.
    public var image: String
    /// The instances, ordered by ordinal; those on their way out included.
    ///
    /// While one life of an instance replaces another, both are here, with different incarnations. Of one ordinal the
    /// life that takes sessions comes first, then the one that is to replace it, then those that drain or stop, the
    /// newest first.
    public var instances: [InstanceStatus]
    /// Why the workload as a whole can't make progress, if it can't.
    public var failure: PhaseReason?

    /// Describes a workload.
    public init(
        id: WorkloadID,
        observedGeneration: Int64,
        desiredReplicas: Int,
        image: String,
        instances: [InstanceStatus],
        failure: PhaseReason? = nil
    ) {
        self.id = id
        self.observedGeneration = observedGeneration
        self.desiredReplicas = desiredReplicas
        self.image = image
        self.instances = instances
        self.failure = failure
    }

    /// Instances that are ready.
    public var readyReplicas: Int { instances.count { $0.phase == .ready } }
    /// Instances that run the newest generation, ready or not.
    public var updatedReplicas: Int {
        instances.count { $0.generation == observedGeneration && $0.phase.isRunning }
    }
    /// Instances that can take new sessions.
    public var availableReplicas: Int { instances.count { $0.phase.acceptsNewSessions && $0.endpoint != nil } }
}

/// What a driver knows of an instance now.
public struct InstanceStatus: Hashable, Sendable {
    /// The instance.
    public var id: InstanceID
    /// Which life of the instance this is; `nil` until something was started.
    public var incarnation: Incarnation?
    /// The generation that the instance satisfies: it runs what this generation wants.
    public var generation: Int64
    /// Where it is in its life.
    public var phase: InstancePhase
    /// Why it is there, when there is something to say.
    public var reason: PhaseReason?
    /// Where it answers: present exactly in the phases ready, unready and draining; unknown keeps the last one.
    public var endpoint: Endpoint?
    /// How often it was started again after it ended unasked.
    public var restarts: Int
    /// Whether this life began before the driver: it may have sessions that nobody here has heard of.
    public var isTakenOver: Bool
    /// What it uses, where that is known.
    ///
    /// Measured when ``RuntimeDriver/status(of:)`` is asked, and only then: states that are published have none.
    public var usage: InstanceUsage?

    /// Describes an instance.
    public init(
        id: InstanceID,
        incarnation: Incarnation? = nil,
        generation: Int64,
        phase: InstancePhase,
        reason: PhaseReason? = nil,
        endpoint: Endpoint? = nil,
        restarts: Int = 0,
        isTakenOver: Bool = false,
        usage: InstanceUsage? = nil
    ) {
        self.id = id
        self.incarnation = incarnation
        self.generation = generation
        self.phase = phase
        self.reason = reason
        self.endpoint = endpoint
        self.restarts = restarts
        self.isTakenOver = isTakenOver
        self.usage = usage
    }
}

/// What one life of an instance uses, all its processes together.
public struct InstanceUsage: Hashable, Sendable {
    /// Memory that is resident now, in bytes; pages that several processes share count once for each where the platform
    /// can't tell them apart.
    public var residentBytes: Int64
    /// Processor time used since the start of this incarnation, of all processors together.
    public var cpuTime: Duration
    /// How many processes there are now.
    public var processes: Int

    /// Describes what is used.
    public init(residentBytes: Int64, cpuTime: Duration, processes: Int) {
        self.residentBytes = residentBytes
        self.cpuTime = cpuTime
        self.processes = processes
    }
}

/// Why something is as it is: a code for programs, a sentence for people.
public struct PhaseReason: Hashable, Sendable {
    /// One of a small set of words.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        /// The image, or the catalogue's entry for it, does not exist.
        case imageNotFound
        /// The program could not be started.
        case startFailed
        /// It ended soon after each start, again and again.
        case crashLoop
        /// It ended.
        case exited
        /// It used more memory than it may.
        case outOfMemory
        /// It did not become ready in time.
        case startupTimedOut
        /// It was ready and stopped answering.
        case probeFailed
        /// There is no room for it.
        case unschedulable
        /// Something of the same name, not ours, is in the way.
        case nameConflict
        /// The platform can't be reached.
        case contactLost
        /// It was asked to stop.
        case stopping
        /// It makes room for another one, and ends when its sessions have ended.
        case draining
        /// Nobody needed it.
        case parked
        /// A generation did not become ready and was withdrawn; the one before goes on.
        case rolledBack
    }

    /// The word for programs.
    public var code: Code
    /// The sentence for people; never parsed, never a secret.
    public var message: String

    /// Gives a reason.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
