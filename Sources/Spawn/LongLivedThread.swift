// SPDX-License-Identifier: MIT

import CSpawn
import Glibc

/// Threads of their own, for what may block: most live as long as the process.
package enum LongLivedThread {
    /// Starts a thread that runs `body`, and ends with it.
    ///
    /// Signals of the process are left to other threads.
    package static func start(named name: StaticString, _ body: @escaping @Sendable () -> Void) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, 256 * 1024)
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &before)
        var thread = pthread_t()
        let start = Start(name: name, body: body)
        let error = pthread_create(
            &thread, &attributes,
            { pointer in
                guard let pointer else { return nil }
                let start = Unmanaged<Start>.fromOpaque(pointer).takeRetainedValue()
                "\(start.name)".withCString { cspawn_name_thread($0) }
                start.body()
                return nil
            }, Unmanaged.passRetained(start).toOpaque())
        pthread_sigmask(SIG_SETMASK, &before, nil)
        pthread_attr_destroy(&attributes)
        precondition(error == 0, "no thread can be made")
    }

    private final class Start: Sendable {
        let name: StaticString
        let body: @Sendable () -> Void

        init(name: StaticString, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
}
