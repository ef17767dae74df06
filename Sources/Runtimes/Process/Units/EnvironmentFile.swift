// SPDX-License-Identifier: MIT

import Glibc
import RuntimeContract

/// The file that a unit's environment is read from when it starts: for this user only, in memory, deleted once it was
/// read; so that values show neither in `systemctl show` nor on the bus.
enum EnvironmentFile {
    /// Writes a file; `false` if that fails.
    static func write(_ environment: [String: Secret], to path: String) -> Bool {
        unlink(path)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let bytes = Array(text(environment).utf8)
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                unlink(path)
                return false
            }
            offset += count
        }
        return true
    }

    /// The variables as systemd.exec(5), EnvironmentFile=, reads them: in double quotes a line break is a line break, and
    /// only `"`, `\`, `` ` `` and `$` need a backslash.
    static func text(_ environment: [String: Secret]) -> String {
        var text = ""
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) {
            text += "\(name)=\""
            for scalar in value.exposed.unicodeScalars {
                if ["\"", "\\", "`", "$"].contains(scalar) { text += "\\" }
                text.unicodeScalars.append(scalar)
            }
            text += "\"\n"
        }
        return text
    }
}
