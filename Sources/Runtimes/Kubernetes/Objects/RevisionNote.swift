// SPDX-License-Identifier: MIT

internal import JSON
internal import RuntimeContract

/// What is written on a StatefulSet of how far its roll-out is, so that every gateway sees the same and any can go on.
///
/// One annotation, as JSON. Moments are those of the gateway that wrote them: where clocks differ, a drain time ends by as
/// much sooner or later.
struct RevisionNote: Hashable, Sendable {
    /// Why a newer revision was taken back; on the one that goes on.
    struct Withdrawal: Hashable, Sendable {
        /// What the withdrawn pods were made from.
        var template: String
        /// The generation that wanted them.
        var generation: Int64
        /// The replica that failed.
        var ordinal: Int
        /// How it failed, for people.
        var message: String
    }

    /// Grows with each StatefulSet of one workload; 1 or more.
    var revision: Int64
    /// How many instances are wanted.
    ///
    /// The StatefulSet may have more as long as the rest drains.
    var wanted: Int
    /// How long what drains may go on.
    var drainTime: Duration
    /// Since when it takes the sessions; `nil` until then.
    ///
    /// Of several that did, the newest one serves.
    var servingSince: Timestamp?
    /// Whether it is known to work, so that it is worth going back to.
    var isProven = false
    /// Since when its instances beyond ``wanted`` drain.
    var shrinkingSince: Timestamp?
    /// The last withdrawal.
    var withdrawal: Withdrawal?

    init(revision: Int64, wanted: Int, drainTime: Duration, servingSince: Timestamp? = nil) {
        self.revision = revision
        self.wanted = wanted
        self.drainTime = drainTime
        self.servingSince = servingSince
    }

    /// Reads ``text``; `nil` where it is none.
    init?(_ text: String) {
        guard let object = try? JSONParser.parse(Array(text.utf8)), let revision = object["revision"]?.number,
            revision > 0
        else { return nil }
        func moment(_ name: String) -> Timestamp? {
            object[name]?.number.map { Timestamp(millisecondsSinceEpoch: $0) }
        }
        self.revision = revision
        wanted = Int(clamping: object["wanted"]?.number ?? 0)
        drainTime = .milliseconds(object["drainMilliseconds"]?.number ?? 0)
        servingSince = moment("servingSince")
        isProven = object["isProven"]?.flag ?? false
        shrinkingSince = moment("shrinkingSince")
        if let found = object["withdrawn"], let template = found["template"]?.text,
            let generation = found["generation"]?.number
        {
            withdrawal = Withdrawal(
                template: template, generation: generation, ordinal: Int(clamping: found["ordinal"]?.number ?? 0),
                message: found["message"]?.text ?? "")
        }
    }

    var text: String {
        let (seconds, attoseconds) = drainTime.components
        var object: JSONObject = [
            "revision": .integer(revision), "wanted": .integer(Int64(wanted)),
            "drainMilliseconds": .integer(seconds * 1000 + attoseconds / 1_000_000_000_000_000),
        ]
        if let servingSince { object.set("servingSince", .integer(servingSince.millisecondsSinceEpoch)) }
        if isProven { object.set("isProven", true) }
        if let shrinkingSince { object.set("shrinkingSince", .integer(shrinkingSince.millisecondsSinceEpoch)) }
        if let withdrawal {
            object.set(
                "withdrawn",
                [
                    "template": .string(withdrawal.template), "generation": .integer(withdrawal.generation),
                    "ordinal": .integer(Int64(withdrawal.ordinal)), "message": .string(withdrawal.message),
                ])
        }
        return String(decoding: JSONValue.object(object).bytes, as: UTF8.self)
    }
}
