// SPDX-License-Identifier: MIT

import ArgumentParser
import Logging
import Server
import Spawn
import SystemPackage
import Systemd

/// `mcp-gateway serve`: turns flags into a configuration and runs the gateway until it is told to stop.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the gateway.",
        discussion: """
            Every setting can be given as a flag, as an environment variable or in the configuration file; the first of \
            these that gives it wins. SIGTERM or SIGINT lets requests under way finish and stops every server that the \
            gateway runs; a second one ends it at once.

            SETTINGS (key, environment variable, default):
            \(settingsTable)
            """)

    @Option(help: "Read settings from this YAML file.")
    var config: String?

    @Option(help: "The address to listen on (listen.host).")
    var host: String?

    @Option(help: "The port to listen on; 0 takes any free one (listen.port).")
    var port: String?

    @Option(help: "Where the database, the keys and the logs are kept (dataDirectory).")
    var dataDirectory: String?

    @Option(help: "The YAML file that maps images to local commands (catalogue).")
    var catalogue: String?

    @Option(help: "Where servers run: process, kubernetes (runtime).")
    var runtime: String?

    @Option(help: "How servers are started: auto, child, systemd (launcher).")
    var launcher: String?

    @Option(help: "The least severe messages to log: trace, debug, info, notice, warning, error (log.level).")
    var logLevel: String?

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp("Give any setting, as often as needed.", valueName: "key=value"))
    var settings: [String] = []

    func validate() throws {
        for setting in settings where !setting.contains("=") {
            throw ValidationError("--set \(setting): a key and a value are expected, as in --set listen.port=8080")
        }
    }

    func run() async throws {
        do {
            let configuration = try GatewayConfiguration.load(flags: flags, file: config)
            let level = configuration.logLevel
            // Decided once: what is on standard error then stays there.
            let isJournal = ServiceNotifier.logsToJournal
            LoggingSystem.bootstrap { label in
                if isJournal { return JournalLogHandler(label: label, level: level) }
                var handler = StreamLogHandler.standardError(label: label)
                handler.logLevel = level
                return handler
            }
            ChildProcess.adoptOrphans()
            let gateway = Gateway(configuration: configuration, logger: Logger(label: "gateway")) { url in
                // Read by scripts and tests, which wait for it: written at once, without a buffer in between.
                _ = try? FileDescriptor.standardOutput.writeAll("listening on \(url)\n".utf8)
            }
            try await gateway.run()
        } catch let error as StartupError {
            // One line per fault, no usage text: the faults say what to change.
            _ = try? FileDescriptor.standardError.writeAll("mcp-gateway: \(error.description)\n".utf8)
            throw ExitCode(error.exitCode)
        }
    }

    private var flags: [String: String] {
        var flags: [String: String] = [:]
        for setting in settings {
            let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            flags[String(parts[0])] = String(parts[1])
        }
        flags["listen.host"] = host ?? flags["listen.host"]
        flags["listen.port"] = port ?? flags["listen.port"]
        flags["dataDirectory"] = dataDirectory ?? flags["dataDirectory"]
        flags["catalogue"] = catalogue ?? flags["catalogue"]
        flags["runtime"] = runtime ?? flags["runtime"]
        flags["launcher"] = launcher ?? flags["launcher"]
        flags["log.level"] = logLevel ?? flags["log.level"]
        return flags
    }

    private static var settingsTable: String {
        Setting.all.map { setting in
            """
              \(setting.key)  (\(setting.environmentVariable), default \(setting.standard))
                \(setting.purpose) Accepts \(setting.rule).
            """
        }.joined(separator: "\n")
    }
}
