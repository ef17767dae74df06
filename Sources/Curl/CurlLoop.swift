// SPDX-License-Identifier: MIT

internal import CCurl
import Synchronization

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// The thread that libcurl works on, and the way to it.
///
/// Everything that belongs to libcurl is touched on this thread only, but for the call that wakes it.
final class CurlLoop: Sendable {
    enum Order {
        case start(CurlTransfer)
        case unpause(CurlTransfer)
        case cancel(CurlTransfer)
    }

    private struct State {
        var orders: [Order] = []
        var transfers = 0
        var isClosed = false
        /// There from the start of the thread until its end.
        var multi: Multi?
    }

    /// libcurl's multi handle.
    ///
    /// Unchecked, because other threads use it for `ccurl_multi_wakeup` only, under the lock that guards its end.
    struct Multi: @unchecked Sendable {
        let handle: UnsafeMutableRawPointer
    }

    private let maximumTransfers: Int
    private let state = Mutex(State())

    init(maximumTransfers: Int) {
        self.maximumTransfers = maximumTransfers
    }

    /// Hands a transfer to the thread, which is started if there is none.
    func start(_ transfer: CurlTransfer) throws(CurlError) {
        if let reason = ccurl_load() { throw CurlError(.failed, String(cString: reason)) }
        try state.withLock { state throws(CurlError) in
            if state.isClosed { throw CurlError(.closed, "the client was closed") }
            guard state.transfers < maximumTransfers else {
                throw CurlError(.overloaded, "\(maximumTransfers) requests are under way")
            }
            if state.multi == nil {
                guard let handle = ccurl_multi_new(16) else { throw CurlError(.failed, "libcurl has no memory") }
                let multi = Multi(handle: handle)
                guard Self.startThread({ [self] in run(multi) }) else {
                    ccurl_multi_free(handle)
                    throw CurlError(.failed, "no thread could be started")
                }
                state.multi = multi
            }
            state.transfers += 1
            state.orders.append(.start(transfer))
            if let multi = state.multi { ccurl_multi_wakeup(multi.handle) }
        }
    }

    /// Tells the thread something; passed over when it has ended.
    func submit(_ order: Order) {
        state.withLock { state in
            guard let multi = state.multi else { return }
            state.orders.append(order)
            ccurl_multi_wakeup(multi.handle)
        }
    }

    /// Ends the thread and all its transfers.
    func close() {
        state.withLock { state in
            state.isClosed = true
            if let multi = state.multi { ccurl_multi_wakeup(multi.handle) }
        }
    }

    // MARK: - The thread

    private static func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
        final class Start {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        let start = Unmanaged.passRetained(Start(body))
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Start>.fromOpaque(context).takeRetainedValue().body()
                return nil
            }, start.toOpaque())
        guard result == 0 else {
            start.release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    private func run(_ multi: Multi) {
        var active: [UnsafeMutableRawPointer: CurlHandle] = [:]
        while true {
            let (orders, isClosed) = state.withLock { state in
                let orders = state.orders
                state.orders = []
                return (orders, state.isClosed)
            }
            if isClosed {
                for case .start(let transfer) in orders { transfer.ended(CurlError(.closed, "the client was closed")) }
                break
            }
            for order in orders { take(order, multi, &active) }
            var running: Int32 = 0
            ccurl_multi_perform(multi.handle, &running)
            var code = CURLE_OK
            while let easy = ccurl_multi_next_done(multi.handle, &code) {
                guard let handle = active[easy] else { continue }
                end(handle, handle.error(code), multi, &active)
            }
            let now = ContinuousClock.now
            var wake: ContinuousClock.Instant?
            for handle in Array(active.values) where !handle.transfer.hasHead {
                if handle.headDeadline <= now {
                    let error = CurlError(.timedOut, "no answer within \(handle.transfer.request.deadlines.head)")
                    end(handle, error, multi, &active)
                } else {
                    wake = min(wake ?? handle.headDeadline, handle.headDeadline)
                }
            }
            // libcurl's own deadlines are part of the poll; without any of ours a wake-up is all there is to wait for.
            let pause = wake.map { ($0 - now) / .milliseconds(1) } ?? 60_000
            ccurl_multi_poll(multi.handle, Int32(min(max(pause.rounded(.up), 1), 60_000)))
        }
        for handle in Array(active.values) { end(handle, CurlError(.closed, "the client was closed"), multi, &active) }
        state.withLock { state in
            state.multi = nil
            ccurl_multi_free(multi.handle)
        }
    }

    private func take(_ order: Order, _ multi: Multi, _ active: inout [UnsafeMutableRawPointer: CurlHandle]) {
        switch order {
        case .start(let transfer):
            // Cancelled before it began.
            guard !transfer.hasEnded else { return state.withLock { $0.transfers -= 1 } }
            do throws(CurlError) {
                let handle = try CurlHandle(transfer)
                active[handle.easy] = handle
                ccurl_multi_add(multi.handle, handle.easy)
            } catch {
                transfer.ended(error)
                state.withLock { $0.transfers -= 1 }
            }
        case .unpause(let transfer):
            guard let handle = active.values.first(where: { $0.transfer === transfer }) else { return }
            ccurl_pause(handle.easy, CURLPAUSE_CONT)
        case .cancel(let transfer):
            guard let handle = active.values.first(where: { $0.transfer === transfer }) else { return }
            end(handle, nil, multi, &active)
        }
    }

    /// Takes a transfer off libcurl; what its reader hears first counts.
    private func end(
        _ handle: CurlHandle, _ error: CurlError?, _ multi: Multi,
        _ active: inout [UnsafeMutableRawPointer: CurlHandle]
    ) {
        ccurl_multi_remove(multi.handle, handle.easy)
        active[handle.easy] = nil
        handle.free()
        state.withLock { $0.transfers -= 1 }
        handle.transfer.ended(error)
    }
}
