// SPDX-License-Identifier: MIT

import Glibc

/// Tiny programs that tests run, in a directory of their own.
struct Programs: Sendable {
    let directory: String

    struct Failure: Error {
        let path: String
    }

    init() throws {
        var template = Array("/tmp/process-runtime-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(path: "/tmp") }
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try write("server.py", Self.server)
    }

    /// Writes a file and returns its path.
    @discardableResult
    func write(_ name: String, _ text: String, mode: mode_t = 0o755) throws -> String {
        let path = "\(directory)/\(name)"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw Failure(path: path) }
        defer { close(descriptor) }
        _ = text.withCString { Glibc.write(descriptor, $0, strlen($0)) }
        return path
    }

    /// Deletes everything.
    func remove() { Self.remove(directory) }

    private static func remove(_ path: String) {
        if let directory = opendir(path) {
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                guard name != ".", name != ".." else { continue }
                if unlink("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
            }
            closedir(directory)
        }
        rmdir(path)
    }

    /// An HTTP server on `PORT`, which answers everything with 204.
    ///
    /// Flags: `--lines=N` writes `line 1` … `line N` first; `--shout=N` writes a line of N bytes and then `after`;
    /// `--stubborn` ignores SIGTERM; `--child` starts a process in the same group that ignores SIGTERM as well, and
    /// writes its id; `--mute` listens and never answers; `--bridge` is called as a bridge is and listens on the socket;
    /// `--freeze` answers once, and then no more while the file `frozen` is next to the program.
    private static let server = """
        import os, signal, socket, sys

        flags = dict(part.partition("=")[::2] for part in sys.argv[1:] if part.startswith("--"))
        if "--stubborn" in flags:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if "--child" in flags:
            child = os.fork()
            if child == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                while True:
                    signal.pause()
            print("child", child, flush=True)
        if "--bridge" in flags or sys.argv[1:2] == ["bridge"]:
            print(" ".join(sys.argv[1:2] + sys.argv[4:]), flush=True)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(sys.argv[sys.argv.index("--socket") + 1])
            listener.listen()
        else:
            listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
        for number in range(int(flags.get("--lines", 0))):
            print("line", number + 1, file=sys.stderr, flush=True)
        if "--shout" in flags:
            print("x" * int(flags["--shout"]), flush=True)
            print("after", flush=True)
        while True:
            connection, _ = listener.accept()
            connection.recv(65536)
            if "--mute" in flags or os.path.exists(os.path.join(os.path.dirname(sys.argv[0]), "frozen")):
                continue
            connection.sendall(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
            connection.close()
        """
}
