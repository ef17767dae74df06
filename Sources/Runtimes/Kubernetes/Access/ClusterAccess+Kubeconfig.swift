// SPDX-License-Identifier: MIT

internal import Curl
internal import YAML

extension ClusterAccess {
    /// What a kubeconfig says, in YAML or JSON.
    ///
    /// - Parameters:
    ///   - path: The file; what it names by relative paths is relative to its folder.
    ///   - context: Which context; `nil` takes the file's current one.
    ///   - environment: What a program that prints credentials runs with.
    static func kubeconfig(
        _ path: String, context: String?, environment: [String: String]
    ) throws(KubernetesError) -> ClusterAccess {
        func refuse(_ message: String) -> KubernetesError { KubernetesError(.credentials, "\(path): \(message)") }
        let document: YAMLNode
        do {
            guard let node = try YAMLParser.parse(try AccessFile.read(path)) else { throw refuse("the file is empty") }
            document = node
        } catch let error as KubernetesError {
            throw error
        } catch {
            throw refuse("\(error)")
        }
        guard let name = context ?? document["current-context"]?.text else {
            throw refuse("there is no current context; name one")
        }
        guard let chosen = document.named(name, in: "contexts")?["context"] else {
            throw refuse("there is no context '\(name)'")
        }
        guard let clusterName = chosen["cluster"]?.text,
            let cluster = document.named(clusterName, in: "clusters")?["cluster"],
            let server = cluster["server"]?.text
        else { throw refuse("the context '\(name)' names no cluster with a server") }
        if cluster["insecure-skip-tls-verify"]?.text == "true" {
            throw refuse("insecure-skip-tls-verify: the server's certificate is always verified; give its authority")
        }
        guard server.hasPrefix("https://") else { throw refuse("the server '\(server)' is not reached by https") }
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        func content(_ node: YAMLNode, _ key: String) throws(KubernetesError) -> [UInt8]? {
            if let data = node["\(key)-data"]?.text, !data.isEmpty {
                guard let bytes = Base64.decode(data) else { throw refuse("\(key)-data is not base64") }
                return bytes
            }
            guard let file = node[key]?.text, !file.isEmpty else { return nil }
            return try AccessFile.read(file.hasPrefix("/") ? file : "\(folder)/\(file)")
        }
        var access = ClusterAccess(
            server: server.hasSuffix("/") ? String(server.dropLast()) : server,
            trust: CurlTrust(authorities: try content(cluster, "certificate-authority")), credentials: .none,
            namespace: chosen["namespace"]?.text)
        guard let userName = chosen["user"]?.text else { return access }
        guard let user = document.named(userName, in: "users")?["user"] else {
            throw refuse("there is no user '\(userName)'")
        }
        if let certificate = try content(user, "client-certificate"), let key = try content(user, "client-key") {
            access.trust.identity = CurlTrust.Identity(certificate: certificate, key: key)
        }
        if let file = user["tokenFile"]?.text, !file.isEmpty {
            access.credentials = .tokenFile(file.hasPrefix("/") ? file : "\(folder)/\(file)")
        } else if let token = user["token"]?.text, !token.isEmpty {
            access.credentials = .token(token)
        } else if let login = user["username"]?.text {
            access.credentials = .basic(user: login, password: user["password"]?.text ?? "")
        } else if let exec = user["exec"], let command = exec["command"]?.text {
            access.credentials = .program(
                CredentialProgram(
                    command: command.contains("/") && !command.hasPrefix("/") ? "\(folder)/\(command)" : command,
                    arguments: exec["args"]?.items.compactMap(\.text) ?? [],
                    environment: (exec["env"]?.items ?? []).reduce(into: environment) {
                        variables, item in
                        if let name = item["name"]?.text { variables[name] = item["value"]?.text ?? "" }
                    },
                    apiVersion: exec["apiVersion"]?.text ?? "client.authentication.k8s.io/v1",
                    installHint: exec["installHint"]?.text))
        } else if user["auth-provider"] != nil {
            throw refuse("auth-provider is no longer supported; use exec")
        }
        return access
    }
}

extension YAMLNode {
    fileprivate subscript(_ key: String) -> YAMLNode? {
        guard case .mapping(let entries) = content else { return nil }
        return entries.first { $0.key == key }?.value
    }

    fileprivate var items: [YAMLNode] {
        guard case .sequence(let items) = content else { return [] }
        return items
    }

    /// The element called `name` of the list under `key`.
    fileprivate func named(_ name: String, in key: String) -> YAMLNode? {
        self[key]?.items.first { $0["name"]?.text == name }
    }
}
