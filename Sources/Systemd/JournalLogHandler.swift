// SPDX-License-Identifier: MIT

public import Logging

/// Sends what is logged to the journal, with the metadata as fields; to standard error where that fails.
public struct JournalLogHandler: LogHandler {
    private let label: String
    private var fallback: StreamLogHandler

    /// What goes with every message.
    public var metadata: Logger.Metadata = [:] {
        didSet { fallback.metadata = metadata }
    }
    /// Where more of it comes from.
    public var metadataProvider: Logger.MetadataProvider?
    /// The least severe level that is logged.
    public var logLevel: Logger.Level {
        didSet { fallback.logLevel = logLevel }
    }

    /// A handler for one logger.
    public init(label: String, level: Logger.Level) {
        self.label = label
        logLevel = level
        fallback = .standardError(label: label)
        fallback.logLevel = level
    }

    /// One of the metadata that go with every message.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Logs one message.
    public func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let own = event.metadata { all.merge(own) { $1 } }
        let entry = JournalEntry(event.level, event.message.description, label: label, metadata: all)
        if !entry.send() { fallback.log(event: event) }
    }
}
