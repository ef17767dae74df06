// SPDX-License-Identifier: MIT

import Glibc

/// Copies this program to where it can be run without anything of the system: in the container of another image.
///
/// Besides the program these are the libraries that it is linked with and the loader; the copy is run as
/// `FOLDER/loader --library-path FOLDER FOLDER/mcp-gateway …`.
public enum BridgeInstallation {
    /// Copies everything into `folder`, which must be there.
    ///
    /// - Throws: `failed`, naming the file at fault.
    public static func install(into folder: String) throws(BridgeError) {
        let maps = String(decoding: try read("/proc/self/maps"), as: UTF8.self)
        guard let loader = loader(in: maps, base: Self.loaderBase(try read("/proc/self/auxv"))) else {
            throw BridgeError(.installFailed, "this program has no loader: it is linked in another way than expected")
        }
        try copy("/proc/self/exe", to: "\(folder)/mcp-gateway")
        try copy(loader, to: "\(folder)/loader")
        let program = ownPath()
        for file in codeFiles(in: maps) where file != program && file != loader {
            try copy(file, to: "\(folder)/\(file.split(separator: "/").last ?? "")")
        }
    }

    /// Where the loader is mapped (`AT_BASE` of getauxval(3)); 0 without one.
    static func loaderBase(_ vector: [UInt8]) -> UInt {
        let words = vector.withUnsafeBytes { bytes in
            (0..<bytes.count / 8).map { bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt.self) }
        }
        return stride(from: 0, to: words.count - 1, by: 2).first { words[$0] == 7 }.map { words[$0 + 1] } ?? 0
    }

    /// The file that is mapped at `base`, in the text of `/proc/self/maps` (proc(5)).
    static func loader(in maps: String, base: UInt) -> String? {
        guard base != 0 else { return nil }
        let start = String(base, radix: 16) + "-"
        return maps.split(separator: "\n").first { $0.trimmingZeros.hasPrefix(start) }.flatMap { path(of: $0) }
    }

    /// The files that code is mapped from.
    static func codeFiles(in maps: String) -> [String] {
        var files: [String] = []
        for line in maps.split(separator: "\n") {
            let columns = line.split(separator: " ", maxSplits: 2)
            guard columns.count == 3, columns[1].contains("x"), let path = path(of: line), !files.contains(path)
            else { continue }
            files.append(path)
        }
        return files
    }

    private static func path(of line: Substring) -> String? {
        line.firstIndex(of: "/").map { String(line[$0...]) }
    }

    private static func ownPath() -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : ""
    }

    private static func read(_ path: String) throws(BridgeError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return content }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure(path) }
            content += buffer[..<count]
        }
    }

    private static func copy(_ source: String, to target: String) throws(BridgeError) {
        let content = try read(source)
        let descriptor = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o755)
        guard descriptor >= 0 else { throw failure(target) }
        defer { close(descriptor) }
        var written = 0
        while written < content.count {
            let count = content[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure(target) }
            written += count
        }
    }

    private static func failure(_ path: String) -> BridgeError {
        BridgeError(.installFailed, "\(path): \(String(cString: strerror(errno)))")
    }
}

extension Substring {
    /// Addresses have leading zeros where they are short.
    fileprivate var trimmingZeros: Substring { drop { $0 == "0" } }
}
