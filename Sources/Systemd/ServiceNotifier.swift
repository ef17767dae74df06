// SPDX-License-Identifier: MIT

import CSystemd
import Glibc

/// What a service tells the manager that runs it (sd_notify(3)); without one, nothing is told.
public enum ServiceNotifier {
    /// Whether this very process was started by a manager as the main process of a unit.
    public static var isUnit: Bool {
        getenv("SYSTEMD_EXEC_PID").flatMap { Int32(String(cString: $0)) } == getpid()
    }

    /// The service is ready; `status` is what `systemctl status` shows.
    public static func ready(_ status: String) { sd_notify(0, "READY=1\nSTATUS=\(status)") }

    /// The service has begun to stop.
    public static func stopping(_ status: String) { sd_notify(0, "STOPPING=1\nSTATUS=\(status)") }

    /// Changes what `systemctl status` shows; one line.
    public static func status(_ status: String) { sd_notify(0, "STATUS=\(status)") }

    /// How often the manager wants to hear that the service is alive at least; `nil` if it does not ask.
    public static var watchdogInterval: Duration? {
        var microseconds: UInt64 = 0
        guard sd_watchdog_enabled(0, &microseconds) > 0, microseconds > 0 else { return nil }
        return .microseconds(Int64(clamping: microseconds))
    }

    /// The service is alive.
    public static func alive() { sd_notify(0, "WATCHDOG=1") }

    /// The listening sockets that the manager has opened for the service (sd_listen_fds(3)).
    ///
    /// They are closed on exec, and children are not told of them.
    public static func listeningSockets() -> [Int32] {
        let count = sd_listen_fds(1)
        return count > 0 ? (3..<(3 + count)).filter { sd_is_socket($0, 0, Int32(SOCK_STREAM.rawValue), 1) > 0 } : []
    }

    /// Whether standard error is the journal (systemd.exec(5), JOURNAL_STREAM).
    public static var logsToJournal: Bool {
        guard let text = getenv("JOURNAL_STREAM").map({ String(cString: $0) }) else { return false }
        var info = stat()
        return fstat(2, &info) == 0 && text == "\(info.st_dev):\(info.st_ino)"
    }
}
