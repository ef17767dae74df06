// SPDX-License-Identifier: MIT

public import JSON
internal import RuntimeContract

/// An adapter as a client wrote it, checked field by field.
public struct AdapterDraft: Sendable {
    /// What is asked of the field `name`.
    public enum NameRule: Hashable, Sendable {
        /// It must be there.
        case required
        /// It may be there; where it is not, the adapter is called so.
        case optional(AdapterName)
    }

    /// The adapter's name.
    public let name: AdapterName
    /// What is wanted, without the secrets to be kept.
    private let spec: AdapterSpec
    /// The secrets whose stored value is to be kept: those written as `null`.
    private let keptSecrets: [String]

    /// Reads a request's body.
    ///
    /// Fields that only answers have (`id`, `createdBy`, …) are passed over, so that what was read can be changed and
    /// written back.
    ///
    /// - Throws: every fault at once.
    public init(_ json: JSONValue, name rule: NameRule, limits: AdapterLimits) throws(ValidationError) {
        guard case .object(let object) = json else {
            throw ValidationError([FieldFault("", .type, "the body must be an object, not \(json.kind)")])
        }
        var reader = FieldReader(object)
        let name = Self.readName(&reader, rule)
        let source = Self.readSource(&reader)
        var spec = AdapterSpec(source: source ?? .remote([]))
        Self.readEnvironment(&reader, into: &spec)
        let keptSecrets = Self.readSecrets(&reader, into: &spec, mayKeep: rule != .required)
        Self.readPlacement(&reader, into: &spec, limits: limits)
        Self.readSpeech(&reader, into: &spec)
        Self.readRules(&reader, into: &spec)
        if case .remote(let urls) = spec.source, source != nil { Self.checkRemote(&reader, urls, &spec) }
        for field in ["id", "generation", "createdBy", "createdAt", "lastUpdatedAt"] { reader.ignore(field) }
        reader.refuseUnknown()
        guard let name, source != nil, reader.faults.isEmpty else { throw ValidationError(reader.faults) }
        self.name = name
        self.spec = spec
        self.keptSecrets = keptSecrets
    }

    /// What is wanted, with the secrets that are to be kept taken from `stored`.
    ///
    /// - Throws: a fault for each secret that is to be kept and has no stored value.
    public func spec(keepingSecretsOf stored: AdapterSpec?) throws(ValidationError) -> AdapterSpec {
        var spec = spec
        var faults: [FieldFault] = []
        for name in keptSecrets {
            if let secret = stored?.secretEnvironmentVariables[name] {
                spec.secretEnvironmentVariables[name] = secret
            } else {
                faults.append(Self.nothingToKeep("secretEnvironmentVariables.\(name)"))
            }
        }
        guard faults.isEmpty else { throw ValidationError(faults) }
        return spec
    }

    fileprivate static func nothingToKeep(_ field: String) -> FieldFault {
        FieldFault(field, .required, "must be a string: null keeps the stored value, and none is stored")
    }
}

// MARK: - Groups of fields

extension AdapterDraft {
    private static func readName(_ reader: inout FieldReader, _ rule: NameRule) -> AdapterName? {
        var name: AdapterName?
        let text = reader.string("name") { text throws(FieldRule) in
            guard !AdapterName.reserved.contains(text) else {
                throw FieldRule(.format, "must be another name: this one is reserved")
            }
            name = AdapterName(text)
            guard name != nil else {
                throw FieldRule(
                    .format,
                    """
                    must have 1 to \(WorkloadID.maximumLength) lower-case letters, digits and hyphens, begin with a \
                    letter and not end with a hyphen
                    """)
            }
        }
        switch rule {
        case .required:
            if text == nil, reader.has("name") == false { reader.fault("name", .required, "must be given") }
            return name
        case .optional(let expected):
            return text == nil ? expected : name
        }
    }

    private static func readSource(_ reader: inout FieldReader) -> AdapterSpec.Source? {
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
    private static func checkRemote(_ reader: inout FieldReader, _ urls: [RemoteURL], _ spec: inout AdapterSpec) {
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

    private static func readEnvironment(_ reader: inout FieldReader, into spec: inout AdapterSpec) {
        let variables = reader.dictionary("environmentVariables", atMost: AdapterLimits.variables) {
            reader, member, field in
            checkVariableName(&reader, member.name, field)
            return reader.string(member.value, named: field, AdapterRules.variableValue)
        }
        spec.environmentVariables = variables ?? [:]
    }

    private static func readSecrets(
        _ reader: inout FieldReader,
        into spec: inout AdapterSpec,
        mayKeep: Bool
    ) -> [String] {
        var kept: [String] = []
        let plain = spec.environmentVariables
        let secrets = reader.dictionary("secretEnvironmentVariables", atMost: AdapterLimits.variables) {
            reader, member, field -> Secret? in
            checkVariableName(&reader, member.name, field)
            if plain[member.name] != nil {
                reader.fault(field, .conflict, "must not be in environmentVariables too")
            }
            guard member.value == .null else {
                return reader.string(member.value, named: field, AdapterRules.variableValue).map(Secret.init)
            }
            if mayKeep { kept.append(member.name) } else { reader.add([nothingToKeep(field)]) }
            return nil
        }
        spec.secretEnvironmentVariables = secrets ?? [:]
        return kept
    }

    private static func checkVariableName(_ reader: inout FieldReader, _ name: String, _ field: String) {
        guard !AdapterRules.isVariableName(name) else { return }
        reader.fault(
            field, .format,
            """
            must be called by at most \(AdapterLimits.variableNameLength) letters, digits and underscores, not beginning \
            with a digit
            """)
    }

    private static func readPlacement(
        _ reader: inout FieldReader,
        into spec: inout AdapterSpec,
        limits: AdapterLimits
    ) {
        spec.replicaCount = reader.integer("replicaCount", in: 0...Int64(limits.replicas)).map(Int.init) ?? 1
        let grace = AdapterLimits.gracePeriodSeconds
        spec.gracePeriodSeconds =
            reader.integer("gracePeriodSeconds", in: Int64(grace.lowerBound)...Int64(grace.upperBound)).map(Int.init)
            ?? spec.gracePeriodSeconds
        spec.useWorkloadIdentity = reader.boolean("useWorkloadIdentity") ?? false
        spec.resources =
            reader.nested("resources") { reader in
                ResourceLimits(
                    memoryBytes: reader.integer("memoryBytes", in: AdapterLimits.memoryBytes),
                    cpuMillicores: reader.integer("cpuMillicores", in: AdapterLimits.cpuMillicores).map(Int.init),
                    tasks: reader.integer("tasks", in: AdapterLimits.tasks).map(Int.init),
                    openFiles: reader.integer("openFiles", in: AdapterLimits.openFiles).map(Int.init))
            } ?? ResourceLimits()
    }

    private static func readSpeech(_ reader: inout FieldReader, into spec: inout AdapterSpec) {
        spec.transport = reader.string("transport", AdapterRules.transport).flatMap(Transport.init)
        spec.port = reader.integer("port", in: 1...65_535).map(UInt16.init)
        spec.path = reader.string("path", AdapterRules.path)
        spec.ssePath = reader.string("ssePath", AdapterRules.path)
        spec.protocolVersions = reader.strings("protocolVersions", atMost: 16, AdapterRules.revision) ?? []
        guard spec.transport == .stdio else { return }
        for field in ["port", "path", "ssePath"] where reader.has(field) {
            reader.fault(field, .conflict, "does not go with transport stdio")
        }
    }

    private static func readRules(_ reader: inout FieldReader, into spec: inout AdapterSpec) {
        spec.description = reader.string("description", AdapterRules.description) ?? ""
        spec.requiredRoles = reader.strings("requiredRoles", atMost: AdapterLimits.roles, AdapterRules.role) ?? []
        spec.session =
            reader.nested("session") { reader in
                var rules = AdapterSpec.SessionRules()
                let idle = AdapterLimits.idleTimeoutSeconds
                let drain = AdapterLimits.drainTimeoutSeconds
                rules.idleTimeoutSeconds =
                    reader.integer("idleTimeoutSeconds", in: Int64(idle.lowerBound)...Int64(idle.upperBound))
                    .map(Int.init) ?? rules.idleTimeoutSeconds
                rules.drainTimeoutSeconds =
                    reader.integer("drainTimeoutSeconds", in: Int64(drain.lowerBound)...Int64(drain.upperBound))
                    .map(Int.init) ?? rules.drainTimeoutSeconds
                let park = AdapterLimits.parkAfterSeconds
                rules.parkAfterSeconds =
                    reader.integer("parkAfterSeconds", in: Int64(park.lowerBound)...Int64(park.upperBound))
                    .map(Int.init)
                rules.affinity =
                    reader.string("affinity", AdapterRules.affinity).flatMap(SessionAffinity.init) ?? rules.affinity
                rules.recovery =
                    reader.string("recovery", AdapterRules.recovery).flatMap(SessionRecovery.init) ?? rules.recovery
                return rules
            } ?? AdapterSpec.SessionRules()
        let labels = reader.dictionary("labels", atMost: AdapterLimits.labels) { reader, member, field in
            if !AdapterRules.isLabelKey(member.name) {
                reader.fault(
                    field, .format,
                    "must be called by at most 63 letters, digits and . _ -, with a DNS name and / before it if need be"
                )
            }
            return reader.string(member.value, named: field, AdapterRules.labelValue)
        }
        spec.labels = labels ?? [:]
    }
}
