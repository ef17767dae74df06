// SPDX-License-Identifier: MIT

internal import RuntimeContract
internal import YAML

/// The file that maps an image's name and version to a local command.
///
/// ```yaml
/// images:
///   - name: mcp-example
///     version: "1.0.0"
///     command: python3
///     arguments: ["${CATALOGUE_DIR}/servers/example.py"]
/// ```
/// `${CATALOGUE_DIR}` in `command`, `arguments`, `workingDirectory` and the values of `environment` stands for the folder
/// of the file, so that a catalogue can be moved with its servers. Nothing else is expanded.
struct CatalogueFile {
    /// One image.
    struct Image: Hashable, Sendable {
        var name: String
        var version: String
        var command: Command
        var environment: [String: String]
        /// How the server speaks; `nil` leaves it to the adapter.
        var transport: Transport?
        /// The path of its MCP endpoint; `nil` leaves it to the adapter.
        var path: String?
    }

    let images: [Image]

    /// Reads the file at `path`.
    ///
    /// - Throws: every fault at once, each with the file and the line.
    init(path: String) throws(StartupError) {
        try self.init(text: TextFile.read(path), path: path)
    }

    /// Reads `text`, which stands at `path`.
    init(text: [UInt8], path: String) throws(StartupError) {
        var reader = Reader(directory: path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ".")
        do {
            if let root = try YAMLParser.parse(text) { reader.readRoot(root) }
        } catch {
            throw StartupError(.configuration, "catalogue \(path): \(error)")
        }
        guard reader.faults.isEmpty else {
            let faults = reader.faults.map { "catalogue \(path): \($0)" }
            throw StartupError(.configuration, faults.joined(separator: "\n"))
        }
        images = reader.images
    }

    /// Walks the document and collects images and faults.
    private struct Reader {
        let directory: String
        var images: [Image] = []
        var faults: [YAMLError] = []

        mutating func readRoot(_ root: YAMLNode) {
            for entry in entries(root, what: "the catalogue") {
                guard entry.key == "images" else {
                    fault(entry.line, "there is no key '\(entry.key)' here; images is the only one")
                    continue
                }
                guard case .sequence(let items) = entry.value.content else {
                    if !entry.value.isNull { fault(entry.line, "images: a list is expected") }
                    continue
                }
                for item in items { readImage(item) }
            }
        }

        private mutating func readImage(_ node: YAMLNode) {
            var fields: [String: YAMLNode] = [:]
            let known = [
                "name", "version", "command", "arguments", "workingDirectory", "environment", "transport", "path",
            ]
            for entry in entries(node, what: "an image") {
                if known.contains(entry.key) {
                    fields[entry.key] = entry.value
                } else {
                    fault(
                        entry.line, "there is no key '\(entry.key)' here; an image has \(known.joined(separator: ", "))"
                    )
                }
            }
            let name = required("name", fields, line: node.line)
            let version = required("version", fields, line: node.line)
            let command = required("command", fields, line: node.line)
            var transport: Transport?
            if let node = fields["transport"], !node.isNull {
                transport = node.text.flatMap(Transport.init(rawValue:))
                if transport == nil {
                    let names = Transport.allCases.map(\.rawValue).joined(separator: ", ")
                    fault(node.line, "transport: one of \(names) is expected")
                }
            }
            let path = optional("path", fields)
            if let path, !path.hasPrefix("/") { fault(node.line, "path: '\(path)' must begin with /") }
            let image = Image(
                name: name ?? "", version: version ?? "",
                command: Command(
                    executable: expand(command ?? ""), arguments: list("arguments", fields).map(expand),
                    workingDirectory: optional("workingDirectory", fields).map(expand)),
                environment: variables(fields["environment"]), transport: transport, path: path)
            if images.contains(where: { $0.name == image.name && $0.version == image.version }) {
                fault(node.line, "the image \(image.name):\(image.version) stands here a second time")
            }
            images.append(image)
        }

        private func expand(_ text: String) -> String {
            var result = text
            while let range = result.firstRange(of: "${CATALOGUE_DIR}") {
                result.replaceSubrange(range, with: directory)
            }
            return result
        }

        private mutating func required(_ key: String, _ fields: [String: YAMLNode], line: Int) -> String? {
            if let text = fields[key]?.text, !text.isEmpty { return text }
            fault(fields[key]?.line ?? line, "\(key): a value is needed")
            return nil
        }

        private mutating func optional(_ key: String, _ fields: [String: YAMLNode]) -> String? {
            guard let node = fields[key], !node.isNull else { return nil }
            if node.text == nil { fault(node.line, "\(key): a single value is expected") }
            return node.text
        }

        private mutating func list(_ key: String, _ fields: [String: YAMLNode]) -> [String] {
            guard let node = fields[key], !node.isNull else { return [] }
            guard case .sequence(let items) = node.content else {
                fault(node.line, "\(key): a list is expected")
                return []
            }
            let texts = items.compactMap(\.text)
            if texts.count != items.count { fault(node.line, "\(key): every item must be a single value") }
            return texts
        }

        private mutating func variables(_ node: YAMLNode?) -> [String: String] {
            guard let node, !node.isNull else { return [:] }
            var variables: [String: String] = [:]
            for entry in entries(node, what: "environment") {
                if let text = entry.value.text {
                    variables[entry.key] = expand(text)
                } else {
                    fault(entry.line, "environment.\(entry.key): a single value is expected")
                }
            }
            return variables
        }

        private mutating func entries(_ node: YAMLNode, what: String) -> [YAMLNode.Entry] {
            if case .mapping(let entries) = node.content { return entries }
            fault(node.line, "\(what): keys with values are expected")
            return []
        }

        private mutating func fault(_ line: Int, _ message: String) {
            faults.append(YAMLError(line: line, message: message))
        }
    }
}
