// SPDX-License-Identifier: MIT

import CSpawn
import Glibc

/// Why a program could not be started.
public struct SpawnError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was being done.
    public enum Step: String, Hashable, Sendable, CaseIterable {
        /// An argument, variable or path holds a NUL byte, or is not usable otherwise.
        case arguments
        /// The program was looked up in `PATH`.
        case lookUp
        /// A pipe or `/dev/null` was opened.
        case open
        /// The process was made.
        case clone
        /// The process became the leader of its own group.
        case processGroup
        /// The kernel was asked to kill the process when the parent ends.
        case parentDeathSignal
        /// The limits were set.
        case limits
        /// The working directory was entered.
        case workingDirectory
        /// Standard input, output and error were put in place.
        case descriptors
        /// The program was executed.
        case execute

        init(number: Int32) {
            switch UInt32(bitPattern: number) {
            case cspawn_step_process_group.rawValue: self = .processGroup
            case cspawn_step_parent_death_signal.rawValue: self = .parentDeathSignal
            case cspawn_step_limits.rawValue: self = .limits
            case cspawn_step_working_directory.rawValue: self = .workingDirectory
            case cspawn_step_descriptors.rawValue: self = .descriptors
            case cspawn_step_execute.rawValue: self = .execute
            default: self = .clone
            }
        }
    }

    /// The step that failed.
    public let step: Step
    /// The kernel's error number (errno(3)).
    public let errorNumber: Int32
    /// What failed, on what: `can't execute /opt/x: Permission denied`.
    ///
    /// Names paths, never arguments or values of variables.
    public let message: String

    init(_ step: Step, _ errorNumber: Int32, _ what: String) {
        self.step = step
        self.errorNumber = errorNumber
        message = "\(what): \(Self.words(errorNumber))"
    }

    /// The text form.
    public var description: String { message }

    private static func words(_ number: Int32) -> String {
        // strerror(3) is safe here: glibc gives threads buffers of their own since 2.32.
        strerror(number).map { String(cString: $0) } ?? "error \(number)"
    }
}
