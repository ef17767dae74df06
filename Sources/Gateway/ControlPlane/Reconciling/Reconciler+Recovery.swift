// SPDX-License-Identifier: MIT

internal import Logging
internal import Model
internal import Observability
internal import RuntimeContract
internal import Store

extension Reconciler {
    /// Asks the driver, as often as need be, to take over what runs from before.
    func recover(_ stored: [StoredAdapter]) async {
        let desired = stored.filter { !$0.isDeleted }.map { workload($0.adapter) }
        var attempts = 0
        while !Task.isCancelled {
            do throws(RuntimeError) {
                let report = try await driver.recover(desired)
                logger.info(
                    "recovered",
                    metadata: [
                        "adopted": "\(report.adopted.count)", "missing": "\(report.missing.count)",
                        "orphaned": "\(report.orphaned.count)",
                    ])
                // What nobody wants any more: the database was put back, or its removal was never finished.
                if configuration.removesOrphans { for id in report.orphaned { ask(id) } }
                await published(report.adopted)
                projection.set(.ready)
                return
            } catch  where error.code == .cancelled {
                return
            } catch {
                attempts += 1
                let delay = configuration.backoff.delay(afterFailures: attempts, random: .random(in: 0..<1))
                projection.set(.recovering(error.message))
                logger.warning(
                    "finding out what runs from before failed",
                    metadata: [
                        LogKey.error: .untrusted(error.description), LogKey.attempt: "\(attempts)",
                        LogKey.delay: "\(delay)",
                    ])
                try? await configuration.clock.sleep(for: delay)
            }
        }
    }

    /// Waits until the data plane was told of workloads that the driver has taken over; a second at most.
    private func published(_ adopted: Set<WorkloadID>) async {
        for _ in 0..<200 where !adopted.isSubset(of: projection.snapshot.workloads.keys) {
            // The driver has published already; only its way here is waited for.
            try? await configuration.clock.sleep(for: .milliseconds(5))
        }
    }
}
