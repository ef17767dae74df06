// SPDX-License-Identifier: MIT

internal import Glibc
public import Logging
public import NIOCore
internal import NIOSSL
public import ServiceLifecycle
internal import Synchronization

/// The certificate that a listener shows its clients: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 (RFC 8446, RFC 7301).
///
/// Watches its files, and shows new connections what is in them now: certificates are renewed without a restart. What
/// is in them is taken up only when it is complete and fits together; until then the last good one is shown.
public final class ServerCertificate: Service {
    private struct State {
        var context: NIOSSLContext
        /// What the files looked like when they were read last, well or not.
        var seen: [Stamp]
    }

    /// Changes with every way to replace a file.
    private struct Stamp: Equatable {
        var device: UInt64 = 0
        var inode: UInt64 = 0
        var size: Int64 = 0
        var seconds: Int = 0
        var nanoseconds: Int = 0

        init(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return }
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
            size = Int64(status.st_size)
            seconds = status.st_mtim.tv_sec
            nanoseconds = status.st_mtim.tv_nsec
        }
    }

    private let files: CertificateFiles
    private let period: Duration
    private let logger: Logger
    private let state: Mutex<State>

    /// Reads the files.
    ///
    /// - Parameter period: How often ``run()`` looks whether they have changed.
    public init(_ files: CertificateFiles, period: Duration = .seconds(10), logger: Logger) throws(CertificateError) {
        self.files = files
        self.period = period
        self.logger = logger
        // Looked at before they are read: a change in between is found later.
        let seen = Self.stamps(of: files)
        state = Mutex(State(context: try files.context(), seen: seen))
    }

    /// Takes up changed files until graceful shutdown or cancellation.
    public func run() async {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: self.period)) != nil { self.reload() }
        }
    }

    /// Has what follows on `channel` encrypted, beginning with the certificate as it is now; on the channel's loop.
    ///
    /// - Throws: what the pipeline throws when the channel is closed already.
    @Sendable
    public func secure(_ channel: any Channel) throws {
        let handler = NIOSSLServerHandler(context: state.withLock(\.context))
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    /// Reads the files again if they have changed.
    func reload() {
        let now = Self.stamps(of: files)
        guard state.withLock({ $0.seen != now }) else { return }
        do throws(CertificateError) {
            let context = try files.context()
            state.withLock { $0 = State(context: context, seen: now) }
            logger.info("certificate renewed", metadata: ["path": "\(files.certificates)"])
        } catch {
            state.withLock { $0.seen = now }
            logger.warning(
                "the changed certificate can't be used; the last good one stays", metadata: ["error": "\(error)"])
        }
    }

    private static func stamps(of files: CertificateFiles) -> [Stamp] {
        [Stamp(files.certificates), Stamp(files.key)]
    }
}
