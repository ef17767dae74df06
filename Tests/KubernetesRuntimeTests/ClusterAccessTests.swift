// SPDX-License-Identifier: MIT

import Curl
import FoundationEssentials
import Glibc
import Testing

@testable import KubernetesRuntime

/// A folder that is removed with the test.
private final class Folder {
    let path: String

    init() throws {
        var name = Array("/tmp/mcp-gateway-access-XXXXXX".utf8CString)
        try #require(mkdtemp(&name) != nil)
        path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        try text.write(toFile: "\(path)/\(name)", atomically: false, encoding: .utf8)
        return "\(path)/\(name)"
    }
}

@Suite("How the API server is found")
struct ClusterAccessTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    private func kubeconfig(
        user: String = "{token: secret}", cluster: String = "server: 'https://host:6443/'", current: String = "one"
    ) throws -> String {
        try folder.write(
            "config",
            """
            apiVersion: v1
            kind: Config
            current-context: \(current)
            clusters:
            - {name: a, cluster: {\(cluster)}}
            - {name: b, cluster: {server: 'https://other:443'}}
            contexts:
            - {name: one, context: {cluster: a, user: me, namespace: space}}
            - {name: two, context: {cluster: b}}
            - {name: three, context: {cluster: missing}}
            - {name: four, context: {cluster: a, user: missing}}
            users:
            - {name: me, user: \(user)}
            """)
    }

    private func load(_ path: String, context: String? = nil) throws(KubernetesError) -> ClusterAccess {
        try .kubeconfig(path, context: context, environment: ["PATH": "/bin", "SET": "before"])
    }

    private func refusal(_ path: String, context: String? = nil) throws -> String {
        let error = #expect(throws: KubernetesError.self) { try load(path, context: context) }
        #expect(error?.code == .credentials)
        return try #require(error).message
    }

    @Test("the current context, or the one that is named")
    func contexts() throws {
        let one = try load(kubeconfig())
        #expect(one.server == "https://host:6443" && one.namespace == "space")
        guard case .token("secret") = one.credentials else { return #expect(Bool(false), "not the token") }
        let two = try load(kubeconfig(), context: "two")
        #expect(two.server == "https://other:443" && two.namespace == nil)
        guard case .none = two.credentials else { return #expect(Bool(false), "credentials of nobody") }
    }

    @Test("JSON is read as well")
    func json() throws {
        let path = try folder.write(
            "config.json",
            """
            {"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "k"}}],
             "clusters": [{"name": "k", "cluster": {"server": "https://[::1]:6443"}}]}
            """)
        #expect(try load(path).server == "https://[::1]:6443")
    }

    @Test("what is missing is named, and the content is not")
    func missing() throws {
        #expect(try refusal("\(folder.path)/nothing").hasSuffix("nothing: No such file or directory"))
        #expect(try refusal(folder.write("empty", "")).contains("empty"))
        #expect(try refusal(kubeconfig(), context: "five").contains("no context 'five'"))
        #expect(try refusal(kubeconfig(), context: "three").contains("no cluster"))
        #expect(try refusal(kubeconfig(), context: "four").contains("no user 'missing'"))
        #expect(try refusal(kubeconfig(current: "''")).contains("''"))
        let broken = try refusal(folder.write("broken", "users: [{name: x, user: {token: secret-value}}"))
        #expect(!broken.contains("secret-value"))
    }

    @Test("TLS is always verified")
    func insecure() throws {
        let unverified = "server: 'https://host', insecure-skip-tls-verify: true"
        #expect(try refusal(kubeconfig(cluster: unverified)).contains("insecure-skip-tls-verify"))
        #expect(try refusal(kubeconfig(cluster: "server: 'http://host'")).contains("not reached by https"))
    }

    @Test("certificates stand in the file, or in files beside it; those in the file count first")
    func certificates() throws {
        try folder.write("ca.pem", "authority")
        try folder.write("me.pem", "certificate")
        let key = try folder.write("me.key", "key")
        let user = "{client-certificate: me.pem, client-key: \(key)}"
        let access = try load(kubeconfig(user: user, cluster: "server: 'https://host', certificate-authority: ca.pem"))
        #expect(access.trust.authorities == Array("authority".utf8))
        #expect(access.trust.identity?.certificate == Array("certificate".utf8))
        #expect(access.trust.identity?.key == Array("key".utf8))
        let data = "server: 'https://host', certificate-authority: ca.pem, certificate-authority-data: ZGF0YQ=="
        #expect(try load(kubeconfig(cluster: data)).trust.authorities == Array("data".utf8))
        let bad = "server: 'https://host', certificate-authority-data: '*'"
        #expect(try refusal(kubeconfig(cluster: bad)).contains("certificate-authority-data is not base64"))
        let gone = "server: 'https://host', certificate-authority: gone.pem"
        #expect(try refusal(kubeconfig(cluster: gone)).contains("\(folder.path)/gone.pem"))
    }

    @Test("a token file counts before a token, and is read anew for whoever was refused")
    func tokenFile() async throws {
        try folder.write("token", " first\n")
        let access = try load(kubeconfig(user: "{token: other, tokenFile: token}"))
        let source = CredentialSource(access)
        #expect(try await source.grant().authorization == "Bearer first")
        try folder.write("token", "second")
        #expect(try await source.grant().authorization == "Bearer first")
        source.refuse()
        #expect(try await source.grant().authorization == "Bearer second")
        unlink("\(folder.path)/token")
        source.refuse()
        await #expect(throws: KubernetesError.self) { try await source.grant() }
    }

    @Test("a name and a password")
    func basic() async throws {
        let access = try load(kubeconfig(user: "{username: me, password: pass}"))
        #expect(try await CredentialSource(access).grant().authorization == "Basic bWU6cGFzcw==")
    }

    @Test("a program's command, arguments and environment")
    func program() throws {
        let user = """
            {exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: ./get-token, args: [--for, me], \
            env: [{name: SET, value: after}], installHint: install it}}
            """
        guard case .program(let program) = try load(kubeconfig(user: user)).credentials else {
            return #expect(Bool(false), "no program")
        }
        #expect(program.command == "\(folder.path)/./get-token" && program.arguments == ["--for", "me"])
        #expect(program.environment == ["PATH": "/bin", "SET": "after"])
        #expect(program.apiVersion == "client.authentication.k8s.io/v1beta1" && program.installHint == "install it")
        let bare = try load(kubeconfig(user: "{exec: {command: get-token}}"))
        guard case .program(let found) = bare.credentials else { return #expect(Bool(false), "no program") }
        #expect(found.command == "get-token" && found.arguments.isEmpty)
        #expect(try refusal(kubeconfig(user: "{auth-provider: {name: gcp}}")).contains("use exec"))
    }

    @Test("a program is run once, and again for whoever was refused")
    func runs() async throws {
        let script = try folder.write(
            "get-token",
            """
            #!/bin/sh
            echo run >> \(folder.path)/runs
            printf '{"status": {"token": "%s"}}' "$(wc -l < \(folder.path)/runs | tr -d ' ')"
            """)
        chmod(script, 0o700)
        let source = CredentialSource(try load(kubeconfig(user: "{exec: {command: ./get-token}}")))
        #expect(try await source.grant().authorization == "Bearer 1")
        #expect(try await source.grant().authorization == "Bearer 1")
        source.refuse()
        #expect(try await source.grant().authorization == "Bearer 2")
    }

    @Test("what a program prints: a token, a certificate, how long; never shown when it is wrong")
    func output() throws {
        let now = try #require(KubernetesTime.parse("2026-07-28T09:30:00Z"))
        func parse(_ text: String) throws -> CredentialProgram.Answer {
            try CredentialProgram.parse(Array(text.utf8), command: "get-token", now: now)
        }
        let token = try parse(#"{"status":{"token":"t","expirationTimestamp":"2026-07-28T10:30:00Z"}}"#)
        #expect(token.token == "t" && token.lifetime == .seconds(3600) && token.identity == nil)
        let certificate = try parse(#"{"status":{"clientCertificateData":"c","clientKeyData":"k"}}"#)
        #expect(certificate.identity?.certificate == Array("c".utf8) && certificate.lifetime == nil)
        for text in ["", "secret", #"{"token":"secret"}"#, #"{"status":{"clientKeyData":"secret"}}"#] {
            let error = #expect(throws: KubernetesError.self) { try parse(text) }
            #expect(error?.code == .credentials && error?.message.contains("secret") == false)
        }
    }

    @Test("the service account of the pod that we run in")
    func inCluster() throws {
        try folder.write("ca.crt", "authority")
        try folder.write("namespace", "space\n")
        let environment = ["KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"]
        let access = try #require(try ClusterAccess.inCluster(environment: environment, folder: folder.path))
        #expect(access.server == "https://10.0.0.1:443" && access.namespace == "space")
        #expect(access.trust.authorities == Array("authority".utf8))
        guard case .tokenFile(let path) = access.credentials else { return #expect(Bool(false), "no token file") }
        #expect(path == "\(folder.path)/token")
        let second = environment.merging(["KUBERNETES_SERVICE_HOST": "fd00::1"]) { _, new in new }
        #expect(
            try ClusterAccess.inCluster(environment: second, folder: folder.path)?.server == "https://[fd00::1]:443")
        #expect(try ClusterAccess.inCluster(environment: [:], folder: folder.path) == nil)
        #expect(throws: KubernetesError.self) {
            try ClusterAccess.inCluster(environment: environment, folder: "\(folder.path)/nowhere")
        }
    }

    @Test("the file that is named, then $KUBECONFIG, then the one at home")
    func order() throws {
        let path = try kubeconfig()
        mkdir("\(folder.path)/.kube", 0o700)
        try folder.write(".kube/config", String(contentsOfFile: path, encoding: .utf8).replacing("host", with: "home"))
        func server(_ path: String?, _ environment: [String: String]) throws -> String {
            try ClusterAccess.load(kubeconfig: path, context: nil, environment: environment).server
        }
        #expect(try server(path, ["KUBECONFIG": "/nowhere"]) == "https://host:6443")
        #expect(try server(nil, ["KUBECONFIG": "\(path):/nowhere"]) == "https://host:6443")
        #expect(try server(nil, ["HOME": folder.path]) == "https://home:6443")
        #expect(throws: KubernetesError.self) { try server(nil, [:]) }
    }
}
