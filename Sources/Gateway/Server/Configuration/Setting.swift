// SPDX-License-Identifier: MIT

/// One key of the configuration: how it is called, what it means, what it may be.
///
/// The table ``all`` is the only place where keys are listed: reading, checking, `--help` and the documentation come
/// from it.
public struct Setting: Sendable {
    /// The key in the file, its parts joined by dots: `listen.port`.
    ///
    /// The environment variable's name follows from it.
    public let key: String
    /// The value where none is given, in words where it depends on the machine.
    public let standard: String
    /// What may be given.
    public let rule: String
    /// What it is for, in one sentence.
    public let purpose: String

    /// `MCP_GATEWAY_LISTEN_PORT` for `listen.port`.
    public var environmentVariable: String {
        var name = "MCP_GATEWAY_"
        for character in key {
            if character == "." {
                name.append("_")
            } else {
                if character.isUppercase { name.append("_") }
                name.append(character.uppercased())
            }
        }
        return name
    }

    /// Every key there is.
    public static let all: [Setting] =
        [
            Setting(
                key: "listen.host", standard: "127.0.0.1", rule: "an IP address or a host name of this machine",
                purpose: "The address to listen on; a loopback address also turns on the check of the Host header."),
            Setting(
                key: "listen.port", standard: "8000", rule: "a port, 0...65535; 0 takes any free one",
                purpose: "The port to listen on."),
            Setting(
                key: "tls.certificateFile", standard: "none: plain HTTP",
                rule: "the path of a PEM file, together with tls.keyFile",
                purpose:
                    "The certificate to serve HTTPS with, and those between it and a root; renewed files are taken up."
            ),
            Setting(
                key: "tls.keyFile", standard: "none", rule: "the path of a PEM file, together with tls.certificateFile",
                purpose: "The private key of the certificate."),
            Setting(
                key: "tls.authoritiesFile", standard: "none", rule: "the path of a PEM file",
                purpose:
                    "Certificates of authorities to trust in servers at https addresses, beside those of the system."),
            Setting(
                key: "dataDirectory", standard: "~/.local/state/mcp-gateway (or below $XDG_STATE_HOME)", rule: "a path",
                purpose: "Where the database, the session keys and the servers' logs are kept."),
            Setting(
                key: "catalogue", standard: "none", rule: "the path of a YAML file",
                purpose: "Which image names and versions stand for which local commands."),
            Setting(
                key: "runtime", standard: "process", rule: "one of process, kubernetes",
                purpose: "Where servers run: as processes of this machine, or as pods of a Kubernetes cluster."),
            Setting(
                key: "launcher", standard: "auto", rule: "one of auto, child, systemd",
                purpose:
                    "Runs servers as child processes or as units of systemd; auto takes systemd where a manager answers."
            ),
            Setting(
                key: "keepServers", standard: "auto", rule: "one of auto, yes, no",
                purpose:
                    "Whether units go on when the gateway is stopped; auto: if it is a unit itself. They survive its crash."
            ),
            Setting(
                key: "log.level", standard: "info", rule: "one of trace, debug, info, notice, warning, error, critical",
                purpose: "The least severe messages that are written to standard error."),
            Setting(
                key: "threads", standard: "the number of processors", rule: "a number, 1...1024",
                purpose: "How many event loops carry traffic."),
            Setting(
                key: "security.allowAnonymous", standard: "false", rule: "true or false",
                purpose: """
                    Lets the gateway listen where others can reach it, though it asks nobody who they are: whoever reaches \
                    the API can run programs as its user.
                    """),
            Setting(
                key: "security.allowedHosts", standard: "none", rule: "host names, separated by commas",
                purpose: "Names besides loopback ones that the Host header may carry on a loopback listener."),
            Setting(
                key: "security.allowedOrigins", standard: "none",
                rule: "origins such as https://example.com, separated by commas",
                purpose: "Origins besides loopback ones that browsers may send requests from."),
            Setting(
                key: "session.keyFile", standard: "session-keys in the data directory, made when absent",
                rule: "the path of a file with one key a line",
                purpose:
                    "The keys that session ids are sealed with; gateways that share it route each other's sessions."),
            Setting(
                key: "session.parkAfter", standard: "never", rule: "never, or a duration, 1s...168h",
                purpose: """
                    After how long without a request or a session the servers of an adapter are stopped until the next one, \
                    where the adapter does not say.
                    """),
            Setting(
                key: "budget.memory", standard: "none", rule: "a size, 1MiB...1048576GiB",
                purpose: """
                    How much memory all servers should use together at most: the least recently used are stopped until they are \
                    needed, and where all are in use, starting others waits.
                    """),
            Setting(
                key: "budget.processes", standard: "none", rule: "a number, 1...1000000",
                purpose: "How many processes all servers should be together at most; kept to like budget.memory."),
            Setting(
                key: "limits.headBytes", standard: "32KiB", rule: "a size, 1KiB...1MiB",
                purpose: "The largest head of a request."),
            Setting(
                key: "limits.bodyBytes", standard: "64MiB", rule: "a size, 1KiB...4GiB",
                purpose: "The largest body of a request that is passed on to a server."),
            Setting(
                key: "limits.connections", standard: "20000", rule: "a number, 1...1000000",
                purpose: "How many client connections are held at once; more wait in the kernel's queue."),
            Setting(
                key: "limits.streams", standard: "128", rule: "a number, 1...10000",
                purpose: "How many requests of one connection of HTTP/2 may be under way at once."),
            Setting(
                key: "limits.streamsPerPrincipal", standard: "20000", rule: "a number, 1...1000000",
                purpose: "How many event streams of one principal may stand open at once; more are answered with 429."),
            Setting(
                key: "limits.replicas", standard: "32", rule: "a number, 1...1000",
                purpose: "The most instances one adapter may have."),
            Setting(
                key: "limits.instances", standard: "256; 10000 with the runtime kubernetes",
                rule: "a number, 1...10000",
                purpose: "The most instances that all adapters may have together."),
            Setting(
                key: "timeouts.head", standard: "30s", rule: "a duration, 1s...1h",
                purpose: "How long a client may take to send a request's head."),
            Setting(
                key: "timeouts.body", standard: "30s", rule: "a duration, 1s...1h",
                purpose: "How long a client may pause within a request's body."),
            Setting(
                key: "timeouts.write", standard: "2m", rule: "a duration, 1s...1h",
                purpose: "How long a client may take nothing of what is written to it."),
            Setting(
                key: "timeouts.idle", standard: "75s", rule: "a duration, 1s...1h",
                purpose: "How long a connection is kept open between requests."),
            Setting(
                key: "timeouts.connect", standard: "5s", rule: "a duration, 10ms...5m",
                purpose: "How long connecting to an instance may take."),
            Setting(
                key: "timeouts.start", standard: "20s", rule: "a duration, 0s...1h",
                purpose: "How long a request may wait for an instance that is being started."),
            Setting(
                key: "timeouts.response", standard: "10m", rule: "a duration, 1s...24h",
                purpose: "How long a server may take to begin its answer; streams that have begun have no limit."),
            Setting(
                key: "timeouts.drain", standard: "10s", rule: "a duration, 0s...1h",
                purpose: "How long requests under way may go on after the gateway was asked to stop."),
        ] + signIn + kubernetes
}
