// SPDX-License-Identifier: MIT

/// The methods that are routed or retried differently from others.
public enum MCPMethod: String, Hashable, Sendable, CaseIterable {
    /// Begins a legacy session.
    case initialize
    /// Says that the client is ready.
    case initialized = "notifications/initialized"
    /// Asks whether the other side lives; legacy.
    case ping
    /// Asks a modern server what it can do.
    case discover = "server/discover"
    /// Keeps a stream of notifications open; modern.
    case listen = "subscriptions/listen"
    /// Calls a tool.
    case callTool = "tools/call"
    /// Lists tools.
    case listTools = "tools/list"
    /// Gets a prompt.
    case getPrompt = "prompts/get"
    /// Lists prompts.
    case listPrompts = "prompts/list"
    /// Reads a resource.
    case readResource = "resources/read"
    /// Lists resources.
    case listResources = "resources/list"
    /// Lists resource templates.
    case listResourceTemplates = "resources/templates/list"
    /// Reads a task.
    case getTask = "tasks/get"
    /// Gives a task the input that it asked for.
    case updateTask = "tasks/update"
    /// Cancels a task.
    case cancelTask = "tasks/cancel"
    /// Cancels a request.
    case cancelled = "notifications/cancelled"
    /// Tells how far a request got.
    case progress = "notifications/progress"

    /// The member of `params` that `Mcp-Name` repeats.
    public enum NameSource: Hashable, Sendable {
        /// `params.name`.
        case name
        /// `params.uri`.
        case uri
        /// `params.taskId`.
        case taskID
    }

    /// The method that is called `bytes`, or `nil`.
    public init?(bytes: some Collection<UInt8>) {
        guard let known = Self.allCases.first(where: { $0.rawValue.utf8.elementsEqual(bytes) }) else { return nil }
        self = known
    }

    /// What `Mcp-Name` repeats in requests of this method; `nil` where the header means nothing.
    public var nameSource: NameSource? {
        switch self {
        case .callTool, .getPrompt: .name
        case .readResource: .uri
        case .getTask, .updateTask, .cancelTask: .taskID
        default: nil
        }
    }

    /// Whether a request may be sent a second time although the first may have had its effect: it only reads.
    public var isReplayable: Bool {
        switch self {
        case .ping, .discover, .listTools, .listPrompts, .getPrompt, .readResource, .listResources,
            .listResourceTemplates, .getTask:
            true
        default: false
        }
    }
}
