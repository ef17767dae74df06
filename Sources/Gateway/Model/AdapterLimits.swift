// SPDX-License-Identifier: MIT

/// How large an adapter's fields may be.
///
/// All but the number of replicas are fixed: they are part of the API's contract (`openapi/`). Text is counted in
/// Unicode scalars, as JSON Schema does.
public struct AdapterLimits: Hashable, Sendable {
    /// The most instances of one adapter.
    public var replicas: Int

    /// The limits of a gateway that runs at most `replicas` instances of one adapter.
    public init(replicas: Int = 32) {
        self.replicas = replicas
    }

    /// What is accepted when a stored adapter is read back: the limit may have been lowered since it was written.
    public static let stored = AdapterLimits(replicas: .max)

    static let imageNameLength = 255
    static let imageVersionLength = 128
    static let variables = 256
    static let variableNameLength = 256
    static let variableValueLength = 32_768
    static let headers = 16
    static let headerNameLength = 64
    static let headerValueLength = 8192
    static let descriptionLength = 4096
    static let roles = 64
    static let roleLength = 256
    static let commandLength = 4096
    static let arguments = 256
    static let argumentLength = 8192
    static let pathLength = 512
    static let labels = 64
    static let labelLength = 63
    static let labelPrefixLength = 253
    static let idleTimeoutSeconds = 1...604_800
    static let drainTimeoutSeconds = 0...604_800
    static let parkAfterSeconds = 1...604_800
    static let gracePeriodSeconds = 0...3600
    static let memoryBytes: ClosedRange<Int64> = 1_048_576...1_099_511_627_776
    static let cpuMillicores: ClosedRange<Int64> = 1...1_024_000
    static let tasks: ClosedRange<Int64> = 1...65_536
    static let openFiles: ClosedRange<Int64> = 16...1_048_576
}
