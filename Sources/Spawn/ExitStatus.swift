// SPDX-License-Identifier: MIT

import Glibc

/// How a process ended.
public enum ExitStatus: Hashable, Sendable, CustomStringConvertible {
    /// It ended by itself, with a code in 0...255.
    case exited(code: Int32)
    /// A signal ended it.
    case signalled(Int32, dumpedCore: Bool)
    /// It ended, and how is not known: something else in this process reaped it.
    case unknown

    /// Whether it ended by itself with code 0.
    public var isSuccess: Bool { self == .exited(code: 0) }

    /// The end in words: `exit code 3`, `killed by SIGKILL (signal 9)`.
    public var description: String {
        switch self {
        case .exited(let code):
            return "exit code \(code)"
        case .signalled(let number, let dumpedCore):
            let name = Self.names[number].map { "\($0) (signal \(number))" } ?? "signal \(number)"
            return "killed by \(name)" + (dumpedCore ? ", core dumped" : "")
        case .unknown:
            return "unknown exit status"
        }
    }

    private static let names: [Int32: String] = [
        SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL", SIGTRAP: "SIGTRAP",
        SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL", SIGUSR1: "SIGUSR1",
        SIGSEGV: "SIGSEGV", SIGUSR2: "SIGUSR2", SIGPIPE: "SIGPIPE", SIGALRM: "SIGALRM", SIGTERM: "SIGTERM",
        SIGXCPU: "SIGXCPU", SIGXFSZ: "SIGXFSZ", SIGSYS: "SIGSYS",
    ]
}
