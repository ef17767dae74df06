// SPDX-License-Identifier: MIT

internal import SystemPackage

/// Small files that people write.
enum TextFile {
    /// The largest file that is read, in bytes: a configuration that is larger is a mistake.
    static let maximumBytes = 4 << 20

    /// The bytes of the file at `path`.
    static func read(_ path: String) throws(StartupError) -> [UInt8] {
        do {
            let file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
            return try file.closeAfter {
                var content: [UInt8] = []
                while content.count <= maximumBytes {
                    let chunk = try [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
                        count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
                    }
                    if chunk.isEmpty { return content }
                    content += chunk
                }
                throw Errno.fileTooLarge
            }
        } catch {
            throw StartupError(.configuration, "\(path): can't be read: \(error)")
        }
    }
}
