// SPDX-License-Identifier: MIT

import CSystemd
import Glibc

/// One connection to the bus on which a manager answers.
///
/// Confined to the thread that made it: sd-bus objects belong to one thread at a time.
final class BusConnection {
    private static let destination = "org.freedesktop.systemd1"
    private static let root = "/org/freedesktop/systemd1"
    private static let manager = "org.freedesktop.systemd1.Manager"
    private static let callTimeout: UInt64 = 10_000_000

    /// The paths of units that the manager has told a change of since they were last taken.
    private let bus: OpaquePointer
    private let changes = Changes()

    /// What callbacks write to.
    private final class Changes {
        var units: Set<String> = []
        var isManagerNew = false
    }

    /// Connects, and asks to be told of changes.
    init(_ scope: ManagerScope) throws(SystemdError) {
        if let reason = csystemd_load() { throw SystemdError(.unavailable, String(cString: reason)) }
        var bus: OpaquePointer?
        var result: Int32
        switch scope {
        case .system:
            result = sd_bus_open_system(&bus)
        case .user:
            result = sd_bus_open_user(&bus)
            if result < 0 { result = Self.openUserBus(at: "\(scope.runtimeDirectory)/bus", &bus) }
        }
        guard result >= 0, let bus else {
            throw SystemdError(.unavailable, "the \(scope) bus can't be reached: \(String(cString: strerror(-result)))")
        }
        self.bus = bus
        sd_bus_set_method_call_timeout(bus, Self.callTimeout)
        try match("PropertiesChanged", "org.freedesktop.DBus.Properties", path: "\(Self.root)/unit")
        let owner =
            "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='\(Self.destination)'"
        try check(sd_bus_add_match(bus, nil, owner, onManagerChange, pointer), "changes can't be watched")
        try subscribe()
    }

    deinit {
        // Not flushed: whoever lets go of it has lost it.
        sd_bus_close(bus)
        sd_bus_unref(bus)
    }

    // MARK: - The manager

    /// Has the manager send its signals to this connection.
    func subscribe() throws(SystemdError) { _ = try call("Subscribe") { (_) throws(SystemdError) in } }

    /// Starts a transient unit; returns when the manager has taken it up.
    func start(_ unit: String, _ properties: [UnitProperty]) throws(SystemdError) {
        _ = try call("StartTransientUnit") { (message) throws(SystemdError) in
            try message.append(unit)
            try message.append("fail")
            try message.container("a", "(sv)") { () throws(SystemdError) in
                for property in properties { try message.append(property) }
            }
            try message.container("a", "(sa(sv))") { () throws(SystemdError) in }
        }
    }

    /// Asks for the unit's end; its stop timeout holds.
    func stop(_ unit: String) throws(SystemdError) {
        _ = try call("StopUnit") { (message) throws(SystemdError) in
            try message.append(unit)
            try message.append("replace")
        }
    }

    /// Sends a signal to the main process of a unit, or to all of its processes.
    func kill(_ unit: String, onlyMain: Bool, _ signal: Int32) throws(SystemdError) {
        _ = try call("KillUnit") { (message) throws(SystemdError) in
            try message.append(unit)
            try message.append(onlyMain ? "main" : "all")
            try message.append(signal)
        }
    }

    /// Keeps the manager from forgetting the unit while this connection lives.
    func reference(_ unit: String) throws(SystemdError) {
        _ = try call("RefUnit") { (message) throws(SystemdError) in try message.append(unit) }
    }

    /// Lets the manager forget the unit, if it has ended.
    func forget(_ unit: String) {
        // References are counted; the last one to be given back fails the next call.
        for _ in 0..<64 {
            guard (try? call("UnrefUnit") { (message) throws(SystemdError) in try message.append(unit) }) != nil else {
                break
            }
        }
        _ = try? call("ResetFailedUnit") { (message) throws(SystemdError) in try message.append(unit) }
    }

    /// The names of the loaded units that fit a pattern.
    func units(like pattern: String) throws(SystemdError) -> [String] {
        let reply = try call("ListUnitsByPatterns") { (message) throws(SystemdError) in
            try message.append([String]())
            try message.append([pattern])
        }
        var names: [String] = []
        guard reply.enter("a", "(ssssssouso)") else { return [] }
        while reply.enter("r", "ssssssouso") {
            if let name = reply.readText() { names.append(name) }
            sd_bus_message_skip(reply.pointer, "sssssouso")
            reply.leave()
        }
        return names
    }

    /// The control group that the manager itself stands at the top of.
    func controlGroup() throws(SystemdError) -> String {
        try property("ControlGroup", "s", of: Self.root, Self.manager) { $0.readText() ?? "" }
    }

    /// What the manager says of a unit now.
    func state(of unit: String) throws(SystemdError) -> UnitState {
        let path = Self.path(of: unit)
        let unitInterface = "org.freedesktop.systemd1.Unit"
        let service = "org.freedesktop.systemd1.Service"
        var state = UnitState()
        state.isLoaded = try property("LoadState", "s", of: path, unitInterface) { message in
            // A unit whose file can't be read any more is "bad-setting", and runs nevertheless.
            message.readText() != "not-found"
        }
        guard state.isLoaded else { return state }
        state.active = try property("ActiveState", "s", of: path, unitInterface) { $0.readText() ?? "" }
        state.invocation = try property("InvocationID", "ay", of: path, unitInterface) { message in
            message.readBytes().map { byte in
                String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
            }.joined()
        }
        state.mainProcess = try property("MainPID", "u", of: path, service) { $0.readUInt32() }
        state.result = try property("Result", "s", of: path, service) { $0.readText() ?? "" }
        state.exitCode = try property("ExecMainCode", "i", of: path, service) { $0.readInt32() }
        state.exitStatus = try property("ExecMainStatus", "i", of: path, service) { $0.readInt32() }
        state.environment = try property("Environment", "as", of: path, service) { $0.readTexts() }
        return state
    }

    // MARK: - Signals

    /// Handles everything that has arrived.
    func process() throws(SystemdError) {
        while true {
            let result = sd_bus_process(bus, nil)
            if result < 0 { throw SystemdError(.unavailable, "the bus is lost: \(String(cString: strerror(-result)))") }
            if result == 0 { return }
        }
    }

    /// The units that have changed since the last call, by path, and whether the manager is another process.
    func takeChanges() -> (paths: Set<String>, isManagerNew: Bool) {
        defer {
            changes.units = []
            changes.isManagerNew = false
        }
        return (changes.units, changes.isManagerNew)
    }

    /// What to poll for.
    var descriptor: pollfd { pollfd(fd: sd_bus_get_fd(bus), events: Int16(sd_bus_get_events(bus)), revents: 0) }

    /// How many milliseconds polling may take at most; -1 for any time.
    var patience: Int32 {
        var deadline: UInt64 = 0
        guard sd_bus_get_timeout(bus, &deadline) >= 0, deadline != .max else { return -1 }
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let microseconds = UInt64(now.tv_sec) * 1_000_000 + UInt64(now.tv_nsec) / 1000
        return deadline <= microseconds ? 0 : Int32(clamping: (deadline - microseconds) / 1000 + 1)
    }

    /// The object that stands for a unit.
    static func path(of unit: String) -> String {
        var path: UnsafeMutablePointer<CChar>?
        guard sd_bus_path_encode("\(root)/unit", unit, &path) >= 0, let path else { return "" }
        defer { free(path) }
        return String(cString: path)
    }

    private var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(changes).toOpaque() }

    private func match(_ member: String, _ interface: String, path: String) throws(SystemdError) {
        let rule = "type='signal',sender='\(Self.destination)',interface='\(interface)',member='\(member)',"
        try check(
            sd_bus_add_match(bus, nil, rule + "path_namespace='\(path)'", onUnitChange, pointer),
            "changes can't be watched")
    }

    private let onUnitChange: sd_bus_message_handler_t = { message, userdata, _ in
        guard let message, let userdata, let path = sd_bus_message_get_path(message) else { return 0 }
        Unmanaged<Changes>.fromOpaque(userdata).takeUnretainedValue().units.insert(String(cString: path))
        return 0
    }

    private let onManagerChange: sd_bus_message_handler_t = { _, userdata, _ in
        guard let userdata else { return 0 }
        Unmanaged<Changes>.fromOpaque(userdata).takeUnretainedValue().isManagerNew = true
        return 0
    }

    // MARK: - Calls

    private func call(
        _ member: String, _ write: (BusMessage) throws(SystemdError) -> Void
    ) throws(SystemdError) -> BusMessage {
        var pointer: OpaquePointer?
        try check(
            sd_bus_message_new_method_call(bus, &pointer, Self.destination, Self.root, Self.manager, member), member)
        guard let pointer else { throw SystemdError(.unavailable, "\(member): no message") }
        let message = BusMessage(pointer)
        try write(message)
        var error = sd_bus_error()
        defer { sd_bus_error_free(&error) }
        var reply: OpaquePointer?
        let result = sd_bus_call(bus, message.pointer, 0, &error, &reply)
        guard result >= 0, let reply else { throw Self.failure(result, error, member) }
        return BusMessage(reply)
    }

    private func property<T>(
        _ name: String, _ type: String, of path: String, _ interface: String, _ read: (BusMessage) -> T
    ) throws(SystemdError) -> T {
        var error = sd_bus_error()
        defer { sd_bus_error_free(&error) }
        var reply: OpaquePointer?
        let result = sd_bus_get_property(bus, Self.destination, path, interface, name, &error, &reply, type)
        guard result >= 0, let reply else { throw Self.failure(result, error, name) }
        return read(BusMessage(reply))
    }

    private static func failure(_ result: Int32, _ error: sd_bus_error, _ what: String) -> SystemdError {
        let name = error.name.map { String(cString: $0) } ?? ""
        let message = error.message.map { String(cString: $0) } ?? String(cString: strerror(-result))
        let code: SystemdError.Code =
            if name.hasSuffix(".NoSuchUnit") {
                .noSuchUnit
            } else if name.hasSuffix(".UnitExists") {
                .unitExists
            } else if SystemdError.isLoss(result) || name.hasSuffix(".ServiceUnknown") || name.hasSuffix(".NoReply")
                || name.hasSuffix(".Disconnected")
            {
                .unavailable
            } else {
                .refused
            }
        return SystemdError(code, "\(what): \(message)")
    }

    private static func openUserBus(at path: String, _ bus: inout OpaquePointer?) -> Int32 {
        var result = sd_bus_new(&bus)
        if result >= 0 { result = sd_bus_set_address(bus, "unix:path=\(path)") }
        if result >= 0 { result = sd_bus_set_bus_client(bus, 1) }
        return result >= 0 ? sd_bus_start(bus) : result
    }

    private func check(_ result: Int32, _ what: String) throws(SystemdError) {
        if result < 0 { throw SystemdError(result, what) }
    }
}
