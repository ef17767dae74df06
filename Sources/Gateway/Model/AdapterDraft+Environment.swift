// SPDX-License-Identifier: MIT

internal import JSON
internal import RuntimeContract

/// Variables and header fields, those with secret values too.
extension AdapterDraft {
    static func readEnvironment(_ reader: inout FieldReader, into spec: inout AdapterSpec) {
        let variables = reader.dictionary("environmentVariables", atMost: AdapterLimits.variables) {
            reader, member, field in
            checkVariableName(&reader, member.name, field)
            return reader.string(member.value, named: field, AdapterRules.variableValue)
        }
        spec.environmentVariables = variables ?? [:]
    }

    /// - Returns: those whose stored value is to be kept.
    static func readSecretVariables(
        _ reader: inout FieldReader, into spec: inout AdapterSpec, mayKeep: Bool
    ) -> [KeptSecret] {
        let plain = spec.environmentVariables
        return readSecrets(
            &reader, "secretEnvironmentVariables", into: &spec, \.secretEnvironmentVariables, mayKeep: mayKeep,
            atMost: AdapterLimits.variables, value: AdapterRules.variableValue
        ) { reader, name, field in
            checkVariableName(&reader, name, field)
            if plain[name] != nil { reader.fault(field, .conflict, "must not be in environmentVariables too") }
        }
    }

    /// - Returns: those whose stored value is to be kept.
    static func readSecretHeaders(
        _ reader: inout FieldReader, into spec: inout AdapterSpec, mayKeep: Bool
    ) -> [KeptSecret] {
        var seen: Set<String> = []
        return readSecrets(
            &reader, "secretHeaders", into: &spec, \.secretHeaders, mayKeep: mayKeep, atMost: AdapterLimits.headers,
            value: AdapterRules.headerValue
        ) { reader, name, field in
            do throws(FieldRule) {
                try AdapterRules.headerName(name)
                guard seen.insert(name.lowercased()).inserted else {
                    throw FieldRule(.conflict, "must not be there twice: names of header fields have no case")
                }
            } catch {
                reader.fault(field, error.code, error.rule)
            }
        }
    }

    private static func readSecrets(
        _ reader: inout FieldReader, _ name: String, into spec: inout AdapterSpec,
        _ target: any WritableKeyPath<AdapterSpec, [String: Secret]> & Sendable, mayKeep: Bool, atMost maximum: Int,
        value rule: (String) throws(FieldRule) -> Void,
        check: (inout FieldReader, _ name: String, _ field: String) -> Void
    ) -> [KeptSecret] {
        var kept: [KeptSecret] = []
        let secrets = reader.dictionary(name, atMost: maximum) { reader, member, field -> Secret? in
            check(&reader, member.name, field)
            guard member.value == .null else {
                return reader.string(member.value, named: field, rule).map(Secret.init)
            }
            if mayKeep {
                kept.append(KeptSecret(field: target, name: member.name, path: field))
            } else {
                reader.add([nothingToKeep(field)])
            }
            return nil
        }
        spec[keyPath: target] = secrets ?? [:]
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
}
