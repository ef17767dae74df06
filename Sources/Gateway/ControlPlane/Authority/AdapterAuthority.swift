// SPDX-License-Identifier: MIT

public import Model
public import RuntimeContract
public import Store

/// Where it is written which adapters there are.
///
/// The store is what is read; it follows the authority. Where the store is the authority, both are one.
public protocol AdapterAuthority: Sendable {
    /// Shows `decide` what is stored, and writes what it says.
    ///
    /// `decide` may be asked again when somebody else was faster; what it said before was not done then.
    ///
    /// - Returns: what is stored afterwards, or why `decide` refused; then nothing was changed.
    func change<Refusal: Error>(
        _ name: AdapterName,
        _ decide: @Sendable (StoredAdapter?) throws(Refusal) -> AdapterChange
    ) async throws(AuthorityError) -> Result<StoredAdapter?, Refusal>

    /// Forgets a deleted adapter, which is told apart by `uid`: nothing of it runs any more.
    ///
    /// Without effect when there is none, or when the adapter is not deleted.
    func forget(_ name: AdapterName, uid: UInt64) async throws(AuthorityError)

    /// Returns when the store holds what was written of an adapter before this was called, by anybody, or when that can't be
    /// found out soon: then what is stored has to do.
    func refresh(_ name: AdapterName) async

    /// Has the store follow until the task is cancelled.
    ///
    /// - Parameter progress: what is known of an adapter now, to be shown where it is written.
    func run(progress: @escaping @Sendable (AdapterName) -> AdapterProgress) async

    /// Returns when the store has caught up for the first time, or when the task is cancelled.
    ///
    /// - Parameter waiting: called, perhaps often, with what keeps it from that.
    func caughtUp(waiting: @Sendable (String) -> Void) async
}

/// What is known of an adapter beside what is wanted.
public struct AdapterProgress: Hashable, Sendable {
    /// What the runtime knows; `nil` when it knows nothing.
    public var status: WorkloadStatus?
    /// Why the runtime has not taken up what is wanted, if it tried and failed.
    public var failure: String?

    /// Describes progress.
    public init(status: WorkloadStatus? = nil, failure: String? = nil) {
        self.status = status
        self.failure = failure
    }
}

/// Why a change could not be written.
public enum AuthorityError: Error, Sendable {
    /// The store failed.
    case store(StoreError)
    /// Not now: the authority can't be reached, or everybody writes at once.
    case unavailable(String)
    /// The authority does not take the adapter as it is.
    case refused(String)
    /// The authority does not let this gateway write, or answers what makes no sense.
    case failed(String)
}
