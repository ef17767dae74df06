// SPDX-License-Identifier: MIT

/// A property of a transient unit, as org.freedesktop.systemd1(5) names it.
public enum UnitProperty: Hashable, Sendable {
    /// A text.
    case text(String, String)
    /// A yes or no.
    case flag(String, Bool)
    /// A number; `UInt64.max` is systemd's infinity.
    case number(String, UInt64)
    /// Texts.
    case texts(String, [String])
    /// What is run: an absolute path and all arguments, the program's name first; `$` in them means nothing.
    case execute(path: String, arguments: [String])
    /// A file that the environment is read from when the program is started; it must be there.
    case environmentFile(String)

    var name: String {
        switch self {
        case .text(let name, _), .flag(let name, _), .number(let name, _), .texts(let name, _): name
        // Over the bus, too, systemd expands `$VAR` in ExecStart; only the newer form can say not to.
        case .execute: "ExecStartEx"
        case .environmentFile: "EnvironmentFiles"
        }
    }
}
