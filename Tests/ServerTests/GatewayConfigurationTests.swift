// SPDX-License-Identifier: MIT

import Logging
import Testing

@testable import Server

@Suite("Configuration")
struct GatewayConfigurationTests {
    private func read(
        flags: [String: String] = [:],
        environment: [String: String] = [:],
        file: String? = nil
    ) throws(ConfigurationError) -> GatewayConfiguration {
        var environment = environment
        environment["HOME"] = "/home/ada"
        return try GatewayConfiguration(
            flags: flags, environment: environment, file: file.map { Array($0.utf8) }, workingDirectory: "/work",
            processors: 4)
    }

    @Test("without any input everything has a default that just works")
    func defaults() throws {
        let configuration = try read()
        #expect(configuration.host == "127.0.0.1")
        #expect(configuration.port == 8000)
        #expect(configuration.dataDirectory == "/home/ada/.local/state/mcp-gateway")
        #expect(configuration.sessionKeyFile == "/home/ada/.local/state/mcp-gateway/session-keys")
        #expect(configuration.threads == 4)
    }

    @Test("a flag wins over a variable, a variable over the file")
    func precedence() throws {
        let file = "listen:\n  host: ::1\n  port: 1\nlog:\n  level: debug\n"
        let environment = ["MCP_GATEWAY_LISTEN_PORT": "2", "MCP_GATEWAY_LOG_LEVEL": "trace"]
        let configuration = try read(flags: ["listen.port": "3"], environment: environment, file: file)
        #expect(configuration.port == 3)
        #expect(configuration.logLevel == .trace)
        #expect(configuration.host == "::1")
    }

    @Test("an address that others can reach is refused until strangers are allowed")
    func anonymousAccess() throws {
        for host in ["0.0.0.0", "::", "192.168.1.5", "gateway.local", "127.example.com"] {
            let error = try #require(throws: ConfigurationError.self) { try read(flags: ["listen.host": host]) }
            #expect(error.description.contains("listen.host: '\(host)' is not accepted"))
            #expect(error.description.contains("security.allowAnonymous"))
            let flags = ["listen.host": host, "security.allowAnonymous": "true"]
            #expect(try read(flags: flags).host == host)
        }
        for host in ["127.0.0.1", "127.1.2.3", "::1", "localhost"] {
            #expect(try read(flags: ["listen.host": host]).isLoopback)
        }
    }

    @Test("every fault is reported at once, with key, value and rule")
    func faults() throws {
        let error = try #require(throws: ConfigurationError.self) {
            try read(
                flags: ["nonsense": "1"],
                environment: ["MCP_GATEWAY_TIMEOUTS_IDLE": "soon", "MCP_GATEWAY_LISTEN_PROT": "1"],
                file: "listen:\n  port: 70000\nlimits:\n  headBytes: 10\nlisten_port: 3\nthreads: [1, 2]\n")
        }
        let text = error.description
        #expect(text.contains("listen.port: '70000' is not accepted: a port, 0...65535"))
        #expect(text.contains("timeouts.idle: 'soon' is not accepted: a duration, 1s...1h"))
        #expect(text.contains("limits.headBytes: '10' is not accepted"))
        #expect(text.contains("listen_port: line 5: there is no such key"))
        #expect(text.contains("MCP_GATEWAY_LISTEN_PROT: there is no such variable"))
        #expect(text.contains("nonsense: there is no such key"))
        #expect(text.contains("threads: '1,2' is not accepted"))
        #expect(error.faults.count == 7)
    }

    @Test("paths are relative to the working directory, or to the home with a tilde")
    func paths() throws {
        let configuration = try read(flags: ["catalogue": "c.yaml", "dataDirectory": "~/data"])
        #expect(configuration.catalogueFile == "/work/c.yaml")
        #expect(configuration.dataDirectory == "/home/ada/data")
    }

    @Test("lists may be written as lists or with commas")
    func lists() throws {
        let file = "security:\n  allowedOrigins:\n    - https://Example.com\n    - http://a:1\n  allowedHosts: x, y\n"
        let configuration = try read(file: file)
        #expect(configuration.allowedOrigins == ["https://example.com", "http://a:1"])
        #expect(configuration.allowedHosts == ["x", "y"])
        #expect(throws: ConfigurationError.self) { try read(flags: ["security.allowedOrigins": "https://a/b"]) }
    }

    @Test("an unreadable file is a fault that names the line")
    func brokenFile() throws {
        let error = try #require(throws: ConfigurationError.self) { try read(file: "a: [\n") }
        #expect(error.description.contains("line 2"))
    }

    @Test(
        "quantities need a whole number and a unit that is known",
        arguments: ["1.5s", "-1s", "s", "1d", "9223372036854775807h", ""])
    func badDurations(text: String) {
        #expect(Quantities.duration(text, in: .zero ... .seconds(1 << 40)) == nil)
    }
}
