// SPDX-License-Identifier: MIT

/// One fact that must hold for every driver.
///
/// A test target runs all of them: `@Test(arguments: ConformanceCheck.all) func conforms(_ check: ConformanceCheck)`.
public struct ConformanceCheck: Sendable, CustomStringConvertible {
    /// The fact, as a sentence.
    public let name: String
    /// What the harness must be able to do.
    public let requirements: Set<ConformanceFeature>
    let body: @Sendable (ConformanceContext) async throws -> Void

    init(
        _ name: String, requirements: Set<ConformanceFeature> = [],
        _ body: @escaping @Sendable (ConformanceContext) async throws -> Void
    ) {
        self.name = name
        self.requirements = requirements
        self.body = body
    }

    /// All checks, by the part of the contract that they are about.
    public static let all: [ConformanceCheck] =
        applyChecks + rolloutChecks + drainChecks + parkingChecks + removeChecks + observeChecks + logChecks
        + recoverChecks + shutdownChecks

    /// The checks that a harness with such features can run.
    public static func checks(for features: Set<ConformanceFeature>) -> [ConformanceCheck] {
        all.filter { $0.requirements.isSubset(of: features) }
    }

    /// The fact.
    public var description: String { name }

    /// Runs the harness's driver and the check on it; meanwhile every state that the driver publishes is checked to be a
    /// legal one.
    ///
    /// - Throws: ``ConformanceFailure``, or what the driver threw unexpectedly.
    public func run(on harness: any ConformanceHarness) async throws {
        let context = ConformanceContext(harness)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await context.runDriver() }
            group.addTask { try await LegalStates.watch(context.driver) }
            let outcome: Result<Void, any Error>
            do {
                try await context.withDeadline("the check", within: ConformanceContext.checkPatience) {
                    try await body(context)
                }
                outcome = .success(())
            } catch {
                outcome = .failure(error)
            }
            await context.shutDown()
            // A state that is not legal explains more than what the check saw of it.
            do { try await group.waitForAll() } catch let illegal as ConformanceFailure { throw illegal }
            try outcome.get()
        }
    }
}
