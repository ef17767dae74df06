// SPDX-License-Identifier: MIT

public import NIOCore
internal import NIOSSL
internal import Synchronization

/// How servers at `https` addresses prove who they are: TLS 1.2 or 1.3, with a certificate for their name (RFC 9110 §4.3.4)
/// from an authority that the system trusts, or from one in a file of the user's.
public final class ServerTrust: Sendable {
    /// How long a server may take to prove itself.
    private static let handshakeTimeout = TimeAmount.seconds(10)

    private let additional: [NIOSSLCertificate]
    /// Made when it is needed first: reading what the system trusts takes milliseconds, and memory.
    private let context = Mutex<NIOSSLContext?>(nil)

    /// - Parameter authorities: A PEM file with certificates of authorities to trust beside the system's.
    public init(authorities: String? = nil) throws(CertificateError) {
        guard let authorities else {
            additional = []
            return
        }
        do { additional = try NIOSSLCertificate.fromPEMFile(authorities) } catch {
            throw CertificateError(
                file: authorities, message: "there is no certificate in PEM format to be read in it")
        }
    }

    /// Has what follows on `channel` encrypted, which is a new connection to the server called `name`; on the channel's
    /// loop, before anything is written.
    ///
    /// - Returns: succeeds once the server has proved that it is `name`, and fails when it does not; the channel is
    ///   closed then.
    /// - Throws: what the system's store of authorities gives reason to.
    @Sendable
    public func secure(_ channel: any Channel, as name: String) throws -> EventLoopFuture<Void> {
        // Only names are sent to the server (RFC 6066 §3); an address is compared with that of the connection.
        let isAddress = (try? SocketAddress(ipAddress: name, port: 0)) != nil
        let security = try NIOSSLClientHandler(context: sharedContext(), serverHostname: isAddress ? nil : name)
        let proof = channel.eventLoop.makePromise(of: Void.self)
        try channel.pipeline.syncOperations.addHandlers(
            security, HandshakeHandler(proof: proof, timeout: Self.handshakeTimeout))
        return proof.futureResult
    }

    private func sharedContext() throws -> NIOSSLContext {
        try context.withLock { context in
            if let context { return context }
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.minimumTLSVersion = .tlsv12
            configuration.applicationProtocols = ["http/1.1"]
            if !additional.isEmpty { configuration.additionalTrustRoots = [.certificates(additional)] }
            let made = try NIOSSLContext(configuration: configuration)
            context = made
            return made
        }
    }
}
