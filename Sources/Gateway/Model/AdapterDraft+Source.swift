// SPDX-License-Identifier: MIT

internal import JSON
internal import RuntimeContract

/// What runs: an image, a command, or servers of somebody else.
extension AdapterDraft {
    static func readSource(_ reader: inout FieldReader) -> AdapterSpec.Source? {
        let hasImage = reader.has("imageName") || reader.has("imageVersion")
        let hasCommand = reader.has("command")
        let hasURL = reader.has("url")
        let image = (
            reader.string("imageName", AdapterRules.imageName), reader.string("imageVersion", AdapterRules.imageVersion)
        )
        let command = readCommand(&reader, hasCommand: hasCommand)
        let remote = readURLs(&reader)
        switch (hasImage, hasCommand, hasURL) {
        case (true, _, false):
            if !reader.has("imageName") { reader.fault("imageName", .required, "must be given with imageVersion") }
            if !reader.has("imageVersion") { reader.fault("imageVersion", .required, "must be given with imageName") }
            guard let name = image.0, let version = image.1, !hasCommand || command != nil else { return nil }
            return .image(name: name, version: version, command: command)
        case (false, true, false):
            return command.map(AdapterSpec.Source.command)
        case (false, false, true):
            return remote.map(AdapterSpec.Source.remote)
        case (false, false, false):
            reader.fault("imageName", .required, "must be given with imageVersion, unless command or url is given")
            return nil
        default:
            let given = [("imageName", hasImage), ("command", hasCommand), ("url", hasURL)].filter(\.1).map(\.0)
            for field in given.dropFirst() {
                reader.fault(field, .conflict, "must not be given together with \(given[0])")
            }
            return nil
        }
    }

    private static func readCommand(_ reader: inout FieldReader, hasCommand: Bool) -> Command? {
        let executable = reader.string("command", AdapterRules.command)
        let arguments = reader.strings("arguments", atMost: AdapterLimits.arguments, AdapterRules.argument)
        let directory = reader.string("workingDirectory", AdapterRules.workingDirectory)
        if !hasCommand {
            for field in ["arguments", "workingDirectory"] where reader.has(field) {
                reader.fault(field, .conflict, "goes only with command")
            }
        }
        return executable.map { Command(executable: $0, arguments: arguments ?? [], workingDirectory: directory) }
    }

    private static func readURLs(_ reader: inout FieldReader) -> [RemoteURL]? {
        guard let value = reader.value("url") else { return nil }
        let texts: [String]?
        if case .string(let text) = value {
            texts = [text]
        } else if case .array = value {
            texts = reader.strings("url", atMost: 16) { _ in }
            if texts?.isEmpty == true { reader.fault("url", .length, "must have at least one element") }
        } else {
            texts = nil
            reader.fault("url", .type, "must be a string or an array of strings, not \(value.kind)")
        }
        guard let texts, !texts.isEmpty else { return nil }
        var urls: [RemoteURL] = []
        for (index, text) in texts.enumerated() {
            do throws(FieldRule) {
                let url = try RemoteURL(text)
                try AdapterRules.path(url.target)
                urls.append(url)
            } catch {
                reader.fault(texts.count == 1 ? "url" : "url[\(index)]", error.code, error.rule)
            }
        }
        guard urls.count == texts.count else { return nil }
        if Set(urls.map { "\($0.host.lowercased()):\($0.port)" }).count < urls.count {
            reader.fault("url", .conflict, "must not name a server twice")
        }
        if Set(urls.map(\.target)).count > 1 { reader.fault("url", .conflict, "must have one path for all servers") }
        return urls
    }

    /// What goes without saying, or not at all, where somebody else runs the servers.
    static func checkRemote(_ reader: inout FieldReader, _ urls: [RemoteURL], _ spec: inout AdapterSpec) {
        // 0 turns the adapter off; any other number stands for all the servers that there are.
        spec.replicaCount = spec.replicaCount == 0 ? 0 : urls.count
        let refused: [(String, Bool)] = [
            ("environmentVariables", !spec.environmentVariables.isEmpty),
            ("secretEnvironmentVariables", !spec.secretEnvironmentVariables.isEmpty),
            ("useWorkloadIdentity", spec.useWorkloadIdentity), ("resources", spec.resources != ResourceLimits()),
            ("port", spec.port != nil),
        ]
        for (field, isGiven) in refused where isGiven { reader.fault(field, .conflict, "does not go with url") }
        if spec.transport == .stdio { reader.fault("transport", .conflict, "must not be stdio with url") }
        let field = spec.transport == .sse ? "ssePath" : "path"
        let given = spec.transport == .sse ? spec.ssePath : spec.path
        if let path = urls.first?.path, let given, given != path {
            reader.fault(field, .conflict, "must not say something else than the path in url")
        }
    }
}
