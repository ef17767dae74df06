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
        // Not ExecStartEx, which can say that nothing is to be expanded: systemd 252 writes that word into the unit's file,
        // can't read it when it is executed anew, and refuses to hold the unit from then on.
        case .execute: "ExecStart"
        case .environmentFile: "EnvironmentFiles"
        }
    }
}
