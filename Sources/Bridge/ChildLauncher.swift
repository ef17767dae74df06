// SPDX-License-Identifier: MIT

import Glibc
import Logging
import NIOCore
import Spawn

/// Starts children of the one command that the bridge was started with, and knows all that live.
///
/// Nothing of a request has a part in it: neither the program nor its arguments, environment or directory. Lives on
/// the event loop, whose thread starts the children: they die with that thread (see `PR_SET_PDEATHSIG`).
final class ChildLauncher {
    private let configuration: BridgeConfiguration
    private let loop: any EventLoop
    private let relay: StandardErrorRelay
    private let environment: [String: String]
    private let log: Logger
    private var children: [ObjectIdentifier: ServerProcess] = [:]
    private var emptied: EventLoopPromise<Void>?

    /// A launcher without children.
    init(
        _ configuration: BridgeConfiguration, loop: any EventLoop, relay: StandardErrorRelay,
        environment: [String: String],
        log: Logger
    ) {
        self.configuration = configuration
        self.loop = loop
        self.relay = relay
        self.environment = environment
        self.log = log
    }

    /// Starts a child.
    func launch() throws(BridgeError) -> ServerProcess {
        let started: (process: ChildProcess, pipes: ChildPipes)
        do {
            started = try start()
        } catch {
            throw BridgeError(.startFailed, error.message)
        }
        let child = ServerProcess(
            started.process, pipes: started.pipes, loop: loop, maximumLineBytes: configuration.maximumLineBytes,
            log: log)
        children[ObjectIdentifier(child)] = child
        child.onGone = { [weak self, weak child] in
            if let self, let child { forget(child) }
        }
        let bound = NIOLoopBound(child, eventLoop: loop)
        started.process.onExit { [loop] status in
            loop.execute { bound.value.exited(status) }
        }
        log.debug("A server was started", metadata: ["pid": "\(started.process.pid)"])
        return child
    }

    /// Completes when no child lives any more, not even the rest of one's process group.
    func whenEmpty() -> EventLoopFuture<Void> {
        let promise = emptied ?? loop.makePromise(of: Void.self)
        emptied = promise
        if children.isEmpty { promise.succeed() }
        return promise.futureResult
    }

    /// Kills what still lives.
    func killAll() {
        for child in Array(children.values) { child.kill() }
    }

    private func start() throws(SpawnError) -> (ChildProcess, ChildPipes) {
        let input = try DescriptorPair.pipe()
        var opened = [input]
        do throws(SpawnError) {
            let output = try DescriptorPair.pipe()
            opened.append(output)
            let errorOutput = try DescriptorPair.pipe()
            opened.append(errorOutput)
            let process = try ChildProcess.spawn(
                executable: configuration.command, arguments: configuration.arguments, environment: environment,
                stdin: input.readEnd, stdout: output.writeEnd, stderr: errorOutput.writeEnd,
                origin: Origin.own.appending(String(UInt64.random(in: 0 ... .max), radix: 36)))
            for end in [input.readEnd, output.writeEnd, errorOutput.writeEnd] { close(end) }
            let pipes = ChildPipes(
                input: input.writeEnd, output: output.readEnd, error: errorOutput.readEnd, loop: loop, relay: relay,
                maximumInputBytes: configuration.maximumInputBytes)
            return (process, pipes)
        } catch {
            for pair in opened { pair.close() }
            throw error
        }
    }

    private func forget(_ child: ServerProcess) {
        children[ObjectIdentifier(child)] = nil
        if children.isEmpty { emptied?.succeed() }
    }
}
