// SPDX-License-Identifier: MIT

internal import NIOCore

/// One place where a server listens.
struct Listener: Sendable {
    /// Where it was asked to listen.
    let address: ListenAddress
    /// The listening channel.
    let channel: any Channel
    /// The file of a Unix socket.
    var file: UnixSocketFile?

    /// Stops to listen; connections stay.
    func close() async {
        // Before the socket is closed: afterwards another process may have taken the path.
        file?.remove()
        try? await channel.close()
    }
}
