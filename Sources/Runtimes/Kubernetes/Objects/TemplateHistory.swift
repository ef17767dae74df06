// SPDX-License-Identifier: MIT

/// Which generation was the last one that wanted an earlier template of the pods, so that it can be told what an old pod
/// satisfies.
///
/// As text `TEMPLATE=GENERATION TEMPLATE=GENERATION`, the newest last.
struct TemplateHistory: Hashable, Sendable {
    /// More templates than this are in use only while one rollout overtakes the other, again and again.
    static let maximumCount = 8

    private var entries: [(template: String, generation: Int64)] = []

    init() {}

    init(_ text: String) {
        for part in text.split(separator: " ") {
            let sides = part.split(separator: "=")
            guard sides.count == 2, let generation = Int64(sides[1]) else { continue }
            entries.append((String(sides[0]), generation))
        }
    }

    var text: String { entries.map { "\($0.template)=\($0.generation)" }.joined(separator: " ") }

    /// The last generation that wanted `template`, as far as is known.
    func generation(of template: String?) -> Int64? { entries.last { $0.template == template }?.generation }

    /// The history once `next` has taken the place of `template`, whose last generation was `generation`.
    func replacing(_ template: String?, of generation: Int64, by next: String) -> TemplateHistory {
        var result = self
        guard let template, template != next else { return result }
        result.entries.removeAll { $0.template == template || $0.template == next }
        result.entries.append((template, generation))
        result.entries = result.entries.suffix(Self.maximumCount)
        return result
    }

    static func == (left: TemplateHistory, right: TemplateHistory) -> Bool { left.text == right.text }

    func hash(into hasher: inout Hasher) { hasher.combine(text) }
}
