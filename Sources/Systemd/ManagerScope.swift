// SPDX-License-Identifier: MIT

import Glibc

/// Whose manager is meant.
public enum ManagerScope: String, Hashable, Sendable, CaseIterable {
    /// The manager of the whole machine.
    case system
    /// The manager of this user (`systemctl --user`).
    case user

    /// The system's for root, the user's own for all others.
    public static var own: ManagerScope { getuid() == 0 ? .system : .user }

    /// Whether there may be such a manager: without asking it, and without libsystemd.
    public var isPresent: Bool {
        switch self {
        // sd_booted(3) asks the same.
        case .system: access("/run/systemd/system", F_OK) == 0
        case .user: access("\(runtimeDirectory)/bus", F_OK) == 0 || getenv("DBUS_SESSION_BUS_ADDRESS") != nil
        }
    }

    /// Where files go that last as long as the manager's units, and nobody else can read: in memory, with short paths.
    public var runtimeDirectory: String {
        switch self {
        case .system: "/run"
        case .user: getenv("XDG_RUNTIME_DIR").map { String(cString: $0) } ?? "/run/user/\(getuid())"
        }
    }
}
