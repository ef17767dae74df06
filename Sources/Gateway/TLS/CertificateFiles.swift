// SPDX-License-Identifier: MIT

internal import NIOSSL

/// A certificate chain and its private key, as PEM files.
public struct CertificateFiles: Hashable, Sendable {
    /// The file with the server's certificate, followed by those of the authorities between it and a root.
    public var certificates: String
    /// The file with the private key of the first certificate, not encrypted.
    public var key: String

    /// Names the files; nothing is read yet.
    public init(certificates: String, key: String) {
        self.certificates = certificates
        self.key = key
    }

    /// Reads the files and sees that they fit together.
    func context() throws(CertificateError) -> NIOSSLContext {
        let chain: [NIOSSLCertificate]
        do { chain = try NIOSSLCertificate.fromPEMFile(certificates) } catch {
            throw CertificateError(
                file: certificates, message: "there is no certificate in PEM format to be read in it")
        }
        guard !chain.isEmpty else {
            throw CertificateError(file: certificates, message: "there is no certificate in PEM format in it")
        }
        let privateKey: NIOSSLPrivateKey
        do { privateKey = try NIOSSLPrivateKey(file: key, format: .pem) } catch {
            throw CertificateError(
                file: key, message: "there is no private key in PEM format, without a passphrase, to be read in it")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
        configuration.minimumTLSVersion = .tlsv12
        // Of TLS 1.2 only what HTTP/2 takes (RFC 9113 §9.2.2): keys of the moment, and ciphers that authenticate.
        configuration.cipherSuites = "ECDHE+AESGCM:ECDHE+CHACHA20"
        configuration.applicationProtocols = ["h2", "http/1.1"]
        do { return try NIOSSLContext(configuration: configuration) } catch {
            throw CertificateError(
                file: key, message: "the private key is not that of the first certificate in \(certificates)")
        }
    }
}
