// SPDX-License-Identifier: MIT

internal import Model

/// Takes the parameters of a query one after the other and notes every fault on the way.
///
/// A parameter that nobody asked for is a fault: `tail=10` would otherwise be passed over in silence where `tailLines=10`
/// was meant.
struct QueryReader {
    private let query: [(name: String, value: String)]
    private var known: [String] = []
    private var faults: [FieldFault] = []

    init(_ query: [(name: String, value: String)]) {
        self.query = query
    }

    mutating func text(_ name: String, _ rule: (String) -> Bool, _ message: String) -> String? {
        known.append(name)
        let values = query.filter { $0.name == name }.map(\.value)
        guard let value = values.first else { return nil }
        guard values.count == 1 else {
            faults.append(FieldFault(name, .conflict, "must be given once"))
            return nil
        }
        guard rule(value) else {
            faults.append(FieldFault(name, .format, message))
            return nil
        }
        return value
    }

    mutating func integer(_ name: String, in range: ClosedRange<Int>) -> Int? {
        let message = "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
        let isInRange = { (text: String) in
            text.utf8.allSatisfy { (0x30...0x39).contains($0) } && Int(text).map(range.contains) == true
        }
        return text(name, isInRange, message).flatMap { Int($0) }
    }

    mutating func boolean(_ name: String) -> Bool {
        text(name, { $0 == "true" || $0 == "false" }, "must be true or false") == "true"
    }

    /// - Throws: all faults, unknown parameters among them.
    mutating func finish() throws(Problem) {
        for name in Set(query.map(\.name)).subtracting(known).sorted().prefix(20) {
            let shown = String(name.prefix(100))
            let choice =
                known.isEmpty ? "this resource has none" : "there are \(known.joined(separator: ", "))"
            faults.append(FieldFault(shown, .unknown, "is not a parameter: \(choice)"))
        }
        guard faults.isEmpty else {
            let names = Set(faults.map(\.field)).sorted().joined(separator: ", ")
            throw Problem(.invalidParameter, "not as they must be: \(names)", faults: faults)
        }
    }
}
