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
    private let keptSecrets: [KeptSecret]

    /// A secret whose value is to be that which is stored.
    struct KeptSecret: Sendable {
        let field: any WritableKeyPath<AdapterSpec, [String: Secret]> & Sendable
        let name: String
        /// What a client calls it.
        let path: String
    }

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
        let keptSecrets =
            Self.readSecretVariables(&reader, into: &spec, mayKeep: rule != .required)
            + Self.readSecretHeaders(&reader, into: &spec, mayKeep: rule != .required)
        Self.readPlacement(&reader, into: &spec, limits: limits)
        Self.readSpeech(&reader, into: &spec)
        Self.readRules(&reader, into: &spec)
        if case .remote(let urls) = spec.source, source != nil {
            Self.checkRemote(&reader, urls, &spec)
        } else if reader.has("secretHeaders") {
            reader.fault("secretHeaders", .conflict, "goes only with url")
        }
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
        for kept in keptSecrets {
            if let secret = stored?[keyPath: kept.field][kept.name] {
                spec[keyPath: kept.field][kept.name] = secret
            } else {
                faults.append(Self.nothingToKeep(kept.path))
            }
        }
        guard faults.isEmpty else { throw ValidationError(faults) }
        return spec
    }

    static func nothingToKeep(_ field: String) -> FieldFault {
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
