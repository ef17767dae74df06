// SPDX-License-Identifier: MIT

public import Logging

/// The keys of log metadata: one word for one thing, in every target.
public enum LogKey {
    /// An adapter's name.
    public static let adapter = "adapter"
    /// An instance: workload and ordinal.
    public static let instance = "instance"
    /// A workload's name.
    public static let workload = "workload"
    /// A generation of desired state.
    public static let generation = "generation"
    /// Which life of an instance.
    public static let incarnation = "incarnation"
    /// Where something answers or listens.
    public static let endpoint = "endpoint"
    /// What went wrong, in words.
    public static let error = "error"
    /// How often something was tried.
    public static let attempt = "attempt"
    /// How long until the next try.
    public static let delay = "delay"
    /// A path of the file system.
    public static let path = "path"
    /// A process id.
    public static let pid = "pid"
    /// How many.
    public static let count = "count"
    /// What took how long.
    public static let duration = "duration"
}

extension Logger.MetadataValue {
    /// Text from outside: cut at 200 characters, control characters replaced, so that it can't forge a line.
    public static func untrusted(_ text: String) -> Logger.MetadataValue {
        let safe = text.unicodeScalars.prefix(200).map { scalar in
            scalar.properties.generalCategory == .control ? "\u{FFFD}" : Character(scalar)
        }
        return .string(String(safe))
    }
}
