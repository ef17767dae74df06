// SPDX-License-Identifier: MIT

import CSpawn
import Glibc
import Synchronization

/// A program that was started as the leader of its own process group.
///
/// When the leader ends, for whatever reason, everything left in its group is killed; when this process ends, for
/// whatever reason, the kernel kills the leader (prctl(2), PR_SET_PDEATHSIG). A descendant that leaves the group
/// (setsid(2)) is found by its ``Origin`` and killed as well, where one is given. The object need not be kept: the end is
/// noticed and the process is reaped without it.
public final class ChildProcess: Sendable {
    private struct State {
        var status: ExitStatus?
        /// Whether nothing is left of it.
        var isGone = false
        var callbacks: [@Sendable (ExitStatus) -> Void] = []
    }

    /// The process id, which is also the id of the group.
    ///
    /// May be reused by the kernel once the process was reaped.
    public let pid: Int32
    /// When it started, in clock ticks since the boot (proc(5), field 22 of stat); 0 if it was gone too soon.
    public let start: UInt64
    let origin: Origin?
    let pidfd: Int32
    private let state = Mutex(State())

    private init(pid: Int32, pidfd: Int32, origin: Origin?) {
        self.pid = pid
        self.pidfd = pidfd
        self.origin = origin
        start = ProcessTable.entry(pid)?.start ?? 0
    }

    /// From now on the kernel gives orphaned descendants to this process, wherever they moved; they are killed once
    /// nobody they may belong to is left, and reaped.
    ///
    /// For programs, not for libraries: it holds for the whole process, and children that others start are lost to them.
    public static func adoptOrphans() { Reaper.shared.adoptOrphans() }

    /// Starts a program, never through a shell.
    ///
    /// Blocks for about a millisecond.
    /// Signals have their default effect in the child, and no descriptor but 0, 1 and 2 is open in it. The three
    /// descriptors stay the caller's, to be closed once this returns.
    ///
    /// - Parameters:
    ///   - executable: a path with a slash in it, or a name that is looked up in the `PATH` of `environment`.
    ///   - arguments: what comes after the program's name.
    ///   - environment: all of it; nothing is inherited.
    ///   - workingDirectory: the absolute directory to run in, or `nil` for that of this process.
    ///   - stdin: becomes descriptor 0; `nil` for `/dev/null`.
    ///   - stdout: becomes descriptor 1; `nil` for `/dev/null`.
    ///   - stderr: becomes descriptor 2; `nil` for `/dev/null`.
    ///   - limits: what the kernel holds it to.
    ///   - origin: goes into the environment; when the program has ended, everything that still carries it is killed.
    /// - Throws: the step that failed, on which path, with the kernel's reason. Nothing is left of the attempt.
    public static func spawn(
        executable: String,
        arguments: [String] = [],
        environment: [String: String],
        workingDirectory: String? = nil,
        stdin: Int32? = nil,
        stdout: Int32? = nil,
        stderr: Int32? = nil,
        limits: SpawnLimits = SpawnLimits(),
        origin: Origin? = nil
    ) throws(SpawnError) -> ChildProcess {
        let path = try ExecutableSearch.find(executable, path: environment["PATH"])
        var environment = environment
        if let origin { environment[Origin.variable] = origin.description }
        let variables = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        for text in [path] + arguments + variables + [workingDirectory ?? ""] where text.utf8.contains(0) {
            throw SpawnError(.arguments, EINVAL, "can't start \(executable): a NUL byte in an argument or variable")
        }
        let null = stdin != nil && stdout != nil && stderr != nil ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { if null >= 0 { close(null) } }
        guard null >= 0 || (stdin != nil && stdout != nil && stderr != nil) else {
            throw SpawnError(.open, errno, "can't open /dev/null")
        }
        var pidfd: Int32 = -1
        var step: Int32 = 0
        var result: Int32 = 0
        let child = Reaper.shared.starting {
            result = CStringArray.with([executable] + arguments) { arguments in
                CStringArray.with(variables) { variables in
                    path.withCString { path in
                        withOptionalCString(workingDirectory) { directory in
                            var request = cspawn_request()
                            request.path = path
                            request.arguments = arguments
                            request.environment = variables
                            request.working_directory = directory
                            request.descriptors = (stdin ?? null, stdout ?? null, stderr ?? null)
                            request.open_files = UInt64(clamping: limits.openFiles ?? 0)
                            return cspawn_start(&request, &pidfd, &step)
                        }
                    }
                }
            }
            return result > 0 ? ChildProcess(pid: result, pidfd: pidfd, origin: origin) : nil
        }
        guard let child else {
            throw failure(.init(number: step), -result, path: path, workingDirectory: workingDirectory, limits: limits)
        }
        return child
    }

    /// Sends a signal to every process of the group.
    ///
    /// - Returns: `false` if the leader has ended, and with it the group.
    @discardableResult
    public func signalGroup(_ signal: Int32) -> Bool {
        // Under the lock that reaping takes: while the leader is not reaped, its id can't mean another group.
        state.withLock { state in state.status == nil && kill(-pid, signal) == 0 }
    }

    /// Moves the leader into a control group, given by its `cgroup.procs` file (cgroups(7)); what it starts from then on
    /// is in there as well.
    ///
    /// Blocks while the kernel does it, for about ten milliseconds.
    ///
    /// - Returns: `false` if it has ended, or may not be moved.
    @discardableResult
    public func join(controlGroup path: String) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let text = Array("\(pid)".utf8)
        // Under the lock that reaping takes, as above.
        return state.withLock { state in
            state.status == nil && write(descriptor, text, text.count) == text.count
        }
    }

    /// How it ended, or `nil` while it runs.
    public var exitStatus: ExitStatus? { state.withLock(\.status) }

    /// Calls `callback` once the process has ended, was reaped, and what is left of it was killed: on a thread that must not be blocked, or right
    /// here if that is so already.
    public func onExit(_ callback: @escaping @Sendable (ExitStatus) -> Void) {
        let status = state.withLock { state -> ExitStatus? in
            guard state.isGone else {
                state.callbacks.append(callback)
                return nil
            }
            return state.status
        }
        if let status { callback(status) }
    }

    /// Waits until the process has ended, was reaped, and what is left of it was killed.
    ///
    /// Cancellation does not end the wait: a canceller also kills, and then it ends.
    public func waitForExit() async -> ExitStatus {
        await withCheckedContinuation { continuation in onExit { continuation.resume(returning: $0) } }
    }

    /// Kills what is left of the group, reaps the leader and tells those who wait.
    ///
    /// Only the reaper calls it.
    func finish() {
        state.withLock { state in
            // Before reaping: a zombie still holds the id of the group, so the signal can't hit a stranger.
            kill(-pid, SIGKILL)
            var ended = cspawn_exit()
            state.status =
                if cspawn_reap(pidfd, &ended) != 0 {
                    .unknown
                } else if ended.signal != 0 {
                    .signalled(ended.signal, dumpedCore: ended.dumped_core != 0)
                } else {
                    .exited(code: ended.code)
                }
        }
        close(pidfd)
        guard let origin else { return tellEnd() }
        StrayHunter.shared.end(origin) { self.tellEnd() }
    }

    private func tellEnd() {
        let (status, callbacks) = state.withLock { state in
            let callbacks = state.callbacks
            state.callbacks = []
            state.isGone = true
            return (state.status ?? .unknown, callbacks)
        }
        for callback in callbacks { callback(status) }
    }

    private static func failure(
        _ step: SpawnError.Step, _ errorNumber: Int32, path: String, workingDirectory: String?, limits: SpawnLimits
    ) -> SpawnError {
        switch step {
        case .workingDirectory:
            return SpawnError(step, errorNumber, "can't enter the working directory \(workingDirectory ?? ".")")
        case .limits:
            return SpawnError(step, errorNumber, "can't limit open files to \(limits.openFiles ?? 0)")
        case .execute where errorNumber == ENOENT && access(path, F_OK) == 0:
            return SpawnError(step, errorNumber, "can't execute \(path): the interpreter of its first line is missing")
        case .execute:
            return SpawnError(step, errorNumber, "can't execute \(path)")
        default:
            return SpawnError(step, errorNumber, "can't start \(path) (\(step.rawValue))")
        }
    }
}

private func withOptionalCString<R>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> R) -> R {
    guard let text else { return body(nil) }
    return text.withCString { body($0) }
}
