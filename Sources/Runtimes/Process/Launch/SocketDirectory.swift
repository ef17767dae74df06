// SPDX-License-Identifier: MIT

import Glibc
import Synchronization

/// Short paths for the sockets of bridges.
///
/// A socket's path has at most 107 bytes (`sun_path`, unix(7)), so a state directory that is too deep is replaced by
/// one under `/tmp`.
final class SocketDirectory: Sendable {
    private static let maximumPath = 107

    private let wanted: String
    private let made = Mutex<String?>(nil)

    init(stateDirectory: String) {
        wanted = "\(stateDirectory)/sockets"
    }

    /// A path for the socket of a life; nothing is there.
    ///
    /// `nil` if no directory can be made.
    func path(life: UInt64) -> String? {
        guard let directory = directory() else { return nil }
        let path = "\(directory)/\(String(life, radix: 36)).sock"
        unlink(path)
        return path
    }

    /// Deletes a socket.
    func remove(_ path: String) { unlink(path) }

    /// Deletes what an earlier driver has left in the state directory.
    func removeLeftovers() { DirectoryTree.remove(wanted) }

    /// Deletes everything; called when no life is left.
    func removeAll() {
        guard let directory = made.withLock({ $0.take() }) else { return }
        DirectoryTree.remove(directory)
    }

    private func directory() -> String? {
        made.withLock { made in
            if let made { return made }
            // "/", 13 digits in base 36 and ".sock".
            if wanted.utf8.count + 19 <= Self.maximumPath, DirectoryTree.make(wanted) {
                made = wanted
            } else {
                var template = Array("/tmp/mcp-gateway-XXXXXX".utf8CString)
                if mkdtemp(&template) != nil {
                    made = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
                }
            }
            return made
        }
    }
}
