// SPDX-License-Identifier: MIT

/// What the manager says of a unit at one moment.
public struct UnitState: Hashable, Sendable {
    /// Whether the manager knows the unit at all.
    public var isLoaded = false
    /// The state in the manager's word, such as `active`, `activating`, `inactive` or `failed`.
    public var active = "inactive"
    /// The invocation that this or the last run is: 32 hexadecimal digits, or nothing.
    public var invocation = ""
    /// The main process, or 0.
    public var mainProcess: UInt32 = 0
    /// How the last run went in the manager's word, such as `success`, `exit-code`, `signal` or `oom-kill`.
    public var result = ""
    /// How the main process ended (waitid(2), `si_code`), or 0.
    public var exitCode: Int32 = 0
    /// The exit code or the signal of the main process.
    public var exitStatus: Int32 = 0
    /// The variables set by the unit's own property `Environment`.
    public var environment: [String] = []

    /// Nothing is known of the unit.
    public init() {}

    /// Whether nothing of it runs.
    public var hasEnded: Bool { active == "inactive" || active == "failed" }

    /// Whether the main process has ended, and the manager still waits for others of the unit.
    public var mainHasEnded: Bool { active == "deactivating" && mainProcess == 0 && exitCode != 0 }
}
