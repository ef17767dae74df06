// SPDX-License-Identifier: MIT

import RuntimeContract
import Systemd

/// The properties of an instance's unit.
enum UnitProperties {
    /// What the unit of a life is to be.
    ///
    /// `Restart=no`: who starts again, when, and on which port is the supervisor's decision, the same for all launchers; its
    /// backoff and its reasons would be lost on systemd's own. A server that ends while no gateway runs waits for the next
    /// one; nobody could reach it meanwhile.
    static func of(
        _ life: (instance: InstanceID, spec: WorkloadSpec), _ plan: LaunchPlan, executable: String, mark: LaunchMark,
        environmentFile: String, sandbox: UnitSandbox
    ) -> [UnitProperty] {
        let limits = life.spec.limits
        var properties: [UnitProperty] = [
            .text("Description", "MCP server \(life.instance)"),
            // Has the start fail when the program can't be executed.
            .text("Type", "exec"),
            .execute(path: executable, arguments: [plan.executable] + plan.arguments),
            .environmentFile(environmentFile),
            .texts("Environment", [mark.assignment]),
            .text("Restart", "no"),
            .text("KillMode", "control-group"),
            .number("TimeoutStopUSec", UInt64(max(life.spec.gracePeriod / .microseconds(1), 1000))),
            .text("StandardOutput", "journal"),
            .text("StandardError", "journal"),
            .text("SyslogIdentifier", mark.logName),
            // One server that takes too much memory is ended with all that belongs to it.
            .text("OOMPolicy", "kill"),
        ]
        if let directory = plan.workingDirectory { properties.append(.text("WorkingDirectory", directory)) }
        if let bytes = limits.memoryBytes {
            properties.append(.number("MemoryMax", UInt64(clamping: bytes)))
            // Or the limit would only move memory to disk.
            properties.append(.number("MemorySwapMax", 0))
        }
        if let millicores = limits.cpuMillicores {
            properties.append(.number("CPUQuotaPerSecUSec", UInt64(clamping: millicores) * 1000))
        }
        if let tasks = limits.tasks { properties.append(.number("TasksMax", UInt64(clamping: tasks))) }
        if let files = limits.openFiles { properties.append(.number("LimitNOFILE", UInt64(clamping: files))) }
        return properties + sandbox.properties(plan)
    }
}
