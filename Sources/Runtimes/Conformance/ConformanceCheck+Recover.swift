// SPDX-License-Identifier: MIT

import RuntimeContract

extension ConformanceCheck {
    static let recoverChecks: [ConformanceCheck] = [
        ConformanceCheck("what is wanted and does not run is missing, and asking twice gives the same answer") {
            context in
            let spec = context.spec()
            let first = try await context.driver.recover([spec])
            try expect(first == RecoveryReport(missing: [spec.id]), "it is missing: \(first)")
            let second = try await context.driver.recover([spec])
            try expect(second == first, "the same again: \(second)")
            try await context.applyAndWait(spec)
        },
        ConformanceCheck("what runs and is not wanted is an orphan, and is left alone") { context in
            let status = try await context.applyAndWait(context.spec())
            let report = try await context.driver.recover([])
            try expect(report == RecoveryReport(orphaned: [status.id]), "it is an orphan: \(report)")
            let after = try await context.status(of: status.id)
            try expect(after == status, "nothing moves: \(after)")
        },
    ]
}
