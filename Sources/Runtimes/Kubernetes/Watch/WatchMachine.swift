// SPDX-License-Identifier: MIT

internal import JSON

/// Lists and then watches objects of one kind.
///
/// No I/O: after each event, `next` says what is to be done.
///
/// A list comes in chunks; a watch goes on from where the list, or the watch before it, ended. When that is too long ago
/// (410) the objects are listed again, and those that are known are kept until the new list is complete: no gap ever shows
/// as an empty set.
struct WatchMachine<Object: WatchedObject>: Sendable {
    /// What is to be done next.
    enum Step: Hashable, Sendable {
        /// Ask for a chunk of the list.
        case list(continuation: String?)
        /// Watch from this version on.
        case watch(resourceVersion: String)
    }

    /// Which objects may be other ones than before.
    enum Changes: Hashable, Sendable {
        case all
        case names(Set<String>)
    }

    /// The objects by name, as they were last known.
    private(set) var objects: [String: Object] = [:]
    /// What of ``objects`` may have changed since ``told()``.
    private(set) var changes = Changes.names([])
    /// Whether a whole list has been read.
    private(set) var hasSynced = false
    /// Whether the last attempt reached the server.
    private(set) var isInContact = true
    /// Why the last attempt failed, if it did.
    private(set) var lastError: KubernetesError?
    /// What is to be done next.
    private(set) var next: Step = .list(continuation: nil)
    /// How long to wait before it.
    private(set) var pause: Duration = .zero

    private var gathered: [String: Object] = [:]
    private var failures = 0

    static var firstPause: Duration { .milliseconds(100) }
    static var longestPause: Duration { .seconds(5) }

    /// A chunk of the list has come.
    mutating func listed(_ chunk: JSONValue) {
        succeeded()
        for item in chunk["items"]?.items ?? [] {
            if let object = Object(item) { gathered[object.name] = object }
        }
        if let continuation = chunk["metadata", "continue"]?.text, !continuation.isEmpty {
            next = .list(continuation: continuation)
            return
        }
        objects = gathered
        changes = .all
        gathered = [:]
        hasSynced = true
        next = .watch(resourceVersion: chunk["metadata", "resourceVersion"]?.text ?? "0")
    }

    /// The watch has begun: whatever has happened meanwhile comes through it.
    mutating func watching() {
        succeeded()
    }

    /// An event of the watch; returns `false` when the watch is of no more use.
    mutating func received(_ event: JSONValue) -> Bool {
        guard let kind = event["type"]?.text, let object = event["object"] else { return true }
        if kind == "ERROR" {
            failed(
                KubernetesError(
                    status: Int(object["code"]?.number ?? 500), head: nil, body: object.bytes))
            return false
        }
        if let version = object["metadata", "resourceVersion"]?.text { next = .watch(resourceVersion: version) }
        switch kind {
        case "ADDED", "MODIFIED":
            if let object = Object(object) { keep(object, object.name) }
        case "DELETED":
            if let name = object["metadata", "name"]?.text { keep(nil, name) }
        default: break
        }
        return true
    }

    /// Whoever follows the objects has seen ``changes``.
    mutating func told() {
        changes = .names([])
    }

    /// The watch has ended without an error, as it does every few minutes.
    mutating func ended() {
        pause = Self.firstPause
    }

    /// The list or the watch could not be had, or broke.
    mutating func failed(_ error: KubernetesError, random: Double = Double.random(in: 0..<1)) {
        failures += 1
        lastError = error
        let doubled = min(Self.firstPause * (1 << min(failures - 1, 10)), Self.longestPause)
        pause = max(doubled * (0.5 + random / 2), error.retryAfter ?? .zero)
        switch error.code {
        case .expired:
            // Of a list, its continuation; of a watch, the version. The known objects stay.
            gathered = [:]
            next = .list(continuation: nil)
        case .unavailable, .timedOut:
            // A watch that breaks is nothing unusual; that it can't be had again at once is.
            isInContact = failures < 2 && isInContact
        default:
            // Not allowed any more, or a server that is none: as good as gone until it works again.
            isInContact = false
        }
    }

    private mutating func keep(_ object: Object?, _ name: String) {
        objects[name] = object
        guard case .names(var names) = changes else { return }
        // Taken out, so that there is one owner and nothing is copied.
        changes = .all
        names.insert(name)
        changes = .names(names)
    }

    private mutating func succeeded() {
        failures = 0
        lastError = nil
        pause = .zero
        isInContact = true
    }
}
