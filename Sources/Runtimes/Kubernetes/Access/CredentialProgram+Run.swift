// SPDX-License-Identifier: MIT

internal import Curl
internal import Glibc
internal import JSON
internal import RuntimeContract
internal import Spawn

extension CredentialProgram {
    /// What a program printed.
    struct Answer: Sendable {
        var token: String?
        var identity: CurlTrust.Identity?
        /// How long it may be used; `nil`: until the server says otherwise.
        var lifetime: Duration?
    }

    /// How long a program may take.
    static let deadline: Duration = .seconds(60)

    /// Runs the program and reads what it prints.
    ///
    /// - Throws: `credentials` with the program's name, never its output; `timedOut`, `cancelled`.
    func run() async throws(KubernetesError) -> Answer {
        // A file without a name rather than a pipe: nobody has to read while the program writes.
        var name = Array("/tmp/mcp-gateway-XXXXXX".utf8CString)
        let output = mkstemp(&name)
        guard output >= 0 else { throw KubernetesError(.credentials, "\(command): no file for its output in /tmp") }
        unlink(&name)
        defer { close(output) }
        var variables = environment
        let request: JSONValue = .object([
            "apiVersion": .string(apiVersion), "kind": "ExecCredential", "spec": .object(["interactive": false]),
        ])
        variables["KUBERNETES_EXEC_INFO"] = String(decoding: request.bytes, as: UTF8.self)
        let child: ChildProcess
        do throws(SpawnError) {
            child = try ChildProcess.spawn(
                executable: command, arguments: arguments, environment: variables, stdout: output, stderr: 2)
        } catch {
            let hint = installHint.map { "; \($0)" } ?? ""
            throw KubernetesError(.credentials, "\(command): \(error.message)\(hint)")
        }
        let status = await withTaskGroup(of: ExitStatus?.self) { group in
            group.addTask { await child.waitForExit() }
            group.addTask {
                try? await Task.sleep(for: Self.deadline)
                return nil
            }
            let first = await group.next() ?? nil
            // Ends the wait for a program that took too long; the clock is cancelled with the group.
            if first == nil { _ = child.signalGroup(SIGKILL) }
            group.cancelAll()
            return first
        }
        guard let status else {
            throw Task.isCancelled
                ? KubernetesError(.cancelled, "\(command): cancelled")
                : KubernetesError(.timedOut, "\(command): not within \(Self.deadline)")
        }
        guard status.isSuccess else { throw KubernetesError(.credentials, "\(command): \(status)") }
        return try Self.parse(try AccessFile.read("/proc/self/fd/\(output)"), command: command, now: .now)
    }

    static func parse(_ text: [UInt8], command: String, now: Timestamp) throws(KubernetesError) -> Answer {
        guard let status = (try? JSONParser.parse(text))?["status"] else {
            throw KubernetesError(.credentials, "\(command): its output is no ExecCredential with a status")
        }
        var answer = Answer(token: status["token"]?.text)
        if let certificate = status["clientCertificateData"]?.text, let key = status["clientKeyData"]?.text {
            answer.identity = CurlTrust.Identity(certificate: Array(certificate.utf8), key: Array(key.utf8))
        }
        guard answer.token != nil || answer.identity != nil else {
            throw KubernetesError(.credentials, "\(command): neither a token nor a certificate in its output")
        }
        if let end = status["expirationTimestamp"]?.text.flatMap(KubernetesTime.parse) {
            answer.lifetime = .milliseconds(end.millisecondsSinceEpoch - now.millisecondsSinceEpoch)
        }
        return answer
    }
}
