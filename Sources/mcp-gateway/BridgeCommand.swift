// SPDX-License-Identifier: MIT

import ArgumentParser
import Bridge
import Glibc
import Logging
import ServiceLifecycle
import Spawn
import SystemPackage
import UnixSignals

/// `mcp-gateway bridge`: gives a stdio server an HTTP endpoint.
struct BridgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bridge",
        abstract: "Give an MCP server that speaks stdio an HTTP endpoint.",
        discussion: """
            Runs COMMAND and answers streamable HTTP at /mcp for it:

              mcp-gateway bridge --port 3000 -- uvx mcp-server-time
              http://127.0.0.1:3000/mcp

            Each session of a client up to revision 2025-11-25 gets a process of its own, which ends with the session; \
            clients of revision 2026-07-28 share one. What the processes write to standard error comes out here. \
            The program is looked up in PATH and never run by a shell; nothing that a client sends has a part in it.

            /healthz answers 200 as long as the bridge runs. SIGTERM or SIGINT ends the sessions and all processes: \
            their input is closed, two seconds later they get SIGTERM, two seconds later SIGKILL, each with all that \
            it has started.
            """)

    @Option(help: "The port to listen on, with --host; 0 takes any free one.")
    var port: UInt16?

    @Option(help: "The address to listen on. On an address of this machine only, web pages from elsewhere are refused.")
    var host = "127.0.0.1"

    @Option(help: "The Unix socket to listen on, instead of a port.")
    var socket: String?

    @Option(help: "What the server speaks: legacy (initialize), modern (2026-07-28), or auto to find out.")
    var era = "auto"

    @Option(help: "The most sessions at a time; more are answered with 503.")
    var maximumSessions = 256

    @Option(help: "The most bytes of a request's body; more are answered with 413.")
    var maximumBodyBytes = 4 * 1024 * 1024

    @Option(help: "The most bytes of one message of the server; more end its session.")
    var maximumLineBytes = 16 * 1024 * 1024

    @Option(help: "How many seconds a session may go without a request or an open stream.")
    var idleTimeout = 1800

    @Option(help: "How many seconds the server may take to answer initialize.")
    var startTimeout = 60

    @Option(help: "How many events a session keeps for clients that resume a broken stream.")
    var replayEvents = 512

    @Option(help: "How many bytes of messages a session keeps for clients that resume a broken stream.")
    var replayBytes = 4 * 1024 * 1024

    @Option(help: "An origin that web pages may call from, as in https://example.com; as often as needed.")
    var allowOrigin: [String] = []

    @Option(help: "The least severe messages to log: trace, debug, info, notice, warning, error.")
    var logLevel = "info"

    @Option(
        help: ArgumentHelp(
            "Copy this program and all it needs into a directory, to be run in containers of other images, and end.",
            valueName: "directory"))
    var install: String?

    @Argument(
        parsing: .postTerminator, help: ArgumentHelp("The server's program and its arguments.", valueName: "command"))
    var command: [String] = []

    func validate() throws {
        guard install == nil else { return }
        guard !command.isEmpty else {
            throw ValidationError("which server? Give its command behind --, as in -- uvx mcp-server-time")
        }
        guard (port == nil) != (socket == nil) else {
            throw ValidationError("give either --port or --socket")
        }
        guard BridgeConfiguration.EraChoice(rawValue: era) != nil else {
            throw ValidationError("--era \(era): one of auto, legacy and modern is needed")
        }
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError(
                "--log-level \(logLevel): one of trace, debug, info, notice, warning, error is needed")
        }
        let positive = [
            ("--maximum-sessions", maximumSessions), ("--maximum-body-bytes", maximumBodyBytes),
            ("--maximum-line-bytes", maximumLineBytes), ("--idle-timeout", idleTimeout),
            ("--start-timeout", startTimeout), ("--replay-events", replayEvents),
        ]
        for (name, value) in positive where value < 1 {
            throw ValidationError("\(name) \(value): at least 1 is needed")
        }
        guard replayBytes >= 0 else { throw ValidationError("--replay-bytes \(replayBytes): at least 0 is needed") }
    }

    func run() async throws {
        if let install { return try copySelf(into: install) }
        let level = Logger.Level(rawValue: logLevel) ?? .info
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        ChildProcess.adoptOrphans()
        let log = Logger(label: "mcp-gateway.bridge")
        let bridge = Bridge(bridgeConfiguration, log: log)
        do {
            try await run(ServiceGroup(configuration: .init(services: [bridge], logger: log)))
        } catch let error as BridgeError {
            _ = try? FileDescriptor.standardError.writeAll("mcp-gateway bridge: \(error.message)\n".utf8)
            // 127 is what a shell says of a program that it can't find.
            throw ExitCode(error.code == .commandNotFound ? 127 : 1)
        }
    }

    private func copySelf(into directory: String) throws {
        do {
            try BridgeInstallation.install(into: directory)
        } catch {
            _ = try? FileDescriptor.standardError.writeAll("mcp-gateway bridge: \(error.message)\n".utf8)
            throw ExitCode(1)
        }
    }

    /// Runs `group` until it ends by itself or a signal asks for it; a second signal ends the process at once, and the
    /// children with it, since each has a parent-death signal.
    private func run(_ group: ServiceGroup) async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                var isStopping = false
                for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
                    if isStopping { _exit(signal == .sigterm ? 128 + SIGTERM : 128 + SIGINT) }
                    isStopping = true
                    await group.triggerGracefulShutdown()
                }
            }
            tasks.addTask { try await group.run() }
            defer { tasks.cancelAll() }
            try await tasks.next()
        }
    }

    private var bridgeConfiguration: BridgeConfiguration {
        let listener: BridgeConfiguration.Listener =
            if let socket { .unixSocket(path: socket) } else { .tcp(host: host, port: port ?? 0) }
        var configuration = BridgeConfiguration(
            command: command[0], arguments: Array(command.dropFirst()), listener: listener)
        configuration.era = BridgeConfiguration.EraChoice(rawValue: era) ?? .auto
        configuration.maximumSessions = maximumSessions
        configuration.maximumBodyBytes = maximumBodyBytes
        configuration.maximumLineBytes = maximumLineBytes
        configuration.idleTimeout = .seconds(idleTimeout)
        configuration.startTimeout = .seconds(startTimeout)
        configuration.replayEvents = replayEvents
        configuration.replayBytes = replayBytes
        configuration.allowedOrigins = Set(allowOrigin)
        return configuration
    }
}
