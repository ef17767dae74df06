// SPDX-License-Identifier: MIT

internal import Glibc
internal import Logging
internal import ServiceLifecycle
internal import UnixSignals

/// SIGTERM and SIGINT: the first lets the gateway finish its work, a second ends the process at once.
struct ShutdownSignals {
    private let logger: Logger
    private let signals: UnixSignalsSequence

    /// Takes the signals over: from its return on they end nothing by themselves, and none is missed.
    init(logger: Logger) async {
        self.logger = logger
        signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
    }

    /// Waits for signals until the task is cancelled, and asks `group` to shut down at the first.
    ///
    /// Ending at once leaves no server behind: every child has a parent-death signal.
    func watch(_ group: ServiceGroup) async {
        var isStopping = false
        for await signal in signals {
            if isStopping {
                logger.warning("stopping at once", metadata: ["signal": "\(signal)"])
                _exit(signal == .sigterm ? 128 + SIGTERM : 128 + SIGINT)
            }
            isStopping = true
            logger.info("stopping; requests under way may finish", metadata: ["signal": "\(signal)"])
            await group.triggerGracefulShutdown()
        }
    }
}
