// SPDX-License-Identifier: MIT

internal import Configuration
internal import YAML

/// Reads settings from flags, the environment and the file, in this order of precedence, and collects every fault.
struct SettingReader {
    private let reader: ConfigReader
    private(set) var faults: [ConfigurationError.Fault]

    /// - Parameters:
    ///   - flags: Values given on the command line, by key.
    ///   - environment: The process's environment.
    ///   - file: The document of the configuration file, if there is one.
    init(flags: [String: String], environment: [String: String], file: YAMLNode?) {
        let known = Dictionary(uniqueKeysWithValues: Setting.all.map { ($0.key, $0) })
        faults = []
        for key in flags.keys.sorted() where known[key] == nil {
            faults.append(.init(key: key, value: nil, rule: "there is no such key; see mcp-gateway serve --help"))
        }
        var fromFile: [String: String] = [:]
        if let file { Self.flatten(file, prefix: "", into: &fromFile, known: known, faults: &faults) }
        var fromEnvironment: [String: String] = [:]
        for setting in Setting.all {
            if let value = environment[setting.environmentVariable] { fromEnvironment[setting.key] = value }
        }
        let variables = Set(Setting.all.map(\.environmentVariable))
        for name in environment.keys.sorted() where name.hasPrefix("MCP_GATEWAY_") && !variables.contains(name) {
            faults.append(.init(key: name, value: nil, rule: "there is no such variable; see mcp-gateway serve --help"))
        }
        reader = ConfigReader(providers: [
            Self.provider("command line", flags),
            Self.provider("environment", fromEnvironment),
            Self.provider("file", fromFile),
        ])
    }

    /// The value of `key` as `parse` understands it, or `standard` where none is given.
    ///
    /// A value that `parse` refuses is a fault, and `standard` stands in for it so that reading can go on and find the
    /// other faults.
    mutating func value<Value>(_ key: String, default standard: Value, _ parse: (String) -> Value?) -> Value {
        guard let setting = Setting.all.first(where: { $0.key == key }) else {
            preconditionFailure("\(key) is missing in Setting.all")
        }
        guard let text = reader.string(forKey: ConfigKey(key.split(separator: ".").map(String.init))) else {
            return standard
        }
        guard let value = parse(text) else {
            faults.append(.init(key: key, value: text, rule: setting.rule))
            return standard
        }
        return value
    }

    /// Notes that a value, though well formed, does not go with the others.
    mutating func fault(_ key: String, value: String, rule: String) {
        faults.append(.init(key: key, value: value, rule: rule))
    }

    private static func provider(_ name: String, _ values: [String: String]) -> InMemoryProvider {
        var absolute: [AbsoluteConfigKey: ConfigValue] = [:]
        for (key, value) in values {
            absolute[AbsoluteConfigKey(key.split(separator: ".").map(String.init))] = ConfigValue(
                .string(value), isSecret: false)
        }
        return InMemoryProvider(name: name, values: absolute)
    }

    private static func flatten(
        _ node: YAMLNode,
        prefix: String,
        into values: inout [String: String],
        known: [String: Setting],
        faults: inout [ConfigurationError.Fault]
    ) {
        guard case .mapping(let entries) = node.content else {
            faults.append(.init(key: prefix.isEmpty ? "the file" : prefix, rule: "keys with values are expected"))
            return
        }
        for entry in entries {
            let key = prefix.isEmpty ? entry.key : "\(prefix).\(entry.key)"
            if known[key] != nil {
                if entry.value.isNull { continue }
                if let text = scalarText(entry.value) {
                    values[key] = text
                } else {
                    faults.append(.init(key: key, rule: "line \(entry.line): a single value is expected"))
                }
            } else if known.keys.contains(where: { $0.hasPrefix(key + ".") }) {
                if !entry.value.isNull {
                    flatten(entry.value, prefix: key, into: &values, known: known, faults: &faults)
                }
            } else {
                faults.append(.init(key: key, rule: "line \(entry.line): there is no such key"))
            }
        }
    }

    /// A scalar, or a list of scalars joined by commas: both ways of writing a list are natural in a file.
    private static func scalarText(_ node: YAMLNode) -> String? {
        if case .sequence(let items) = node.content {
            let texts = items.compactMap(\.text)
            return texts.count == items.count ? texts.joined(separator: ",") : nil
        }
        return node.text
    }
}

extension ConfigurationError.Fault {
    fileprivate init(key: String, rule: String) {
        self.init(key: key, value: nil, rule: rule)
    }
}
