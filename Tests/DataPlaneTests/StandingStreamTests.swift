// SPDX-License-Identifier: MIT

import NIOCore
import Testing

@testable import DataPlane

@Suite("Streams that stand open")
struct StandingStreamTests {
    @Test("a principal that has enough of them gets 429 and is told when to come again, and its requests go on")
    func limit() async throws {
        let server = try await RawServer.listen()
        try await withGateway(configure: Settings { $0.maximumStreamsPerPrincipal = 3 }) { gateway in
            try gateway.publish([.tcp(server.port)])
            let listen = modernRequest("subscriptions/listen", params: "")
            let listenHeaders = modernHeaders("subscriptions/listen", name: nil)
            let texts = [
                gateway.request("GET"), gateway.request("GET", "/adapters/a/sse"),
                gateway.request("POST", "/adapters/a/mcp", listenHeaders, listen),
            ]
            var streams: [(client: RawConnection, upstream: RawConnection)] = []
            for text in texts {
                let client = try await gateway.connect()
                try await client.send(text)
                let upstream = try await server.accept()
                _ = try await upstream.request()
                streams.append((client, upstream))
            }
            for text in texts {
                let client = try await gateway.connect()
                try await client.send(text)
                let answer = try await client.answer()
                #expect((answer.status, answer["Retry-After"]) == (429, "5"))
                client.close()
            }
            async let call = gateway.post(toolCall())
            let busy = try await server.accept()
            _ = try await busy.request()
            // It must not carry the stream that follows: that one is waited for as a new connection.
            try await busy.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
            #expect(try await call.status == 200)
            // Whoever goes makes room.
            streams[0].client.close()
            try await streams[0].upstream.waitForEnd()
            let next = try await gateway.connect()
            try await next.send(texts[1])
            _ = try await server.accept().request()
            for stream in streams.dropFirst() { stream.client.close() }
            next.close()
        }
    }
}
