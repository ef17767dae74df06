// SPDX-License-Identifier: MIT

import RuntimeContract
import Testing

@testable import Server

@Suite("Catalogue file")
struct CatalogueFileTests {
    private func read(_ text: String) throws(StartupError) -> CatalogueFile {
        try CatalogueFile(text: Array(text.utf8), path: "/opt/c/catalogue.yaml")
    }

    @Test("an image has a command whose folder is the catalogue's")
    func image() throws {
        let file = try read(
            """
            images:
              - name: a
                version: "1.0.0"
                command: ${CATALOGUE_DIR}/bin/a
                arguments: ["--root", "${CATALOGUE_DIR}", "$HOME"]
                transport: stdio
                environment: {A: "${CATALOGUE_DIR}/x", B: 1}
                path: /m
            """)
        let image = try #require(file.images.first)
        #expect(image.command.executable == "/opt/c/bin/a")
        #expect(image.command.arguments == ["--root", "/opt/c", "$HOME"])
        #expect(image.transport == .stdio)
        #expect(image.environment == ["A": "/opt/c/x", "B": "1"])
        #expect(image.path == "/m")
    }

    @Test("every fault is told with its line")
    func faults() throws {
        let error = try #require(throws: StartupError.self) {
            try read(
                """
                images:
                  - name: a
                    command: x
                    transport: telepathy
                  - name: b
                    version: 1
                    command: y
                    comand: y
                    arguments: z
                  - {name: b, version: 1, command: y, path: m}
                more: 1
                """)
        }
        for words in [
            "line 2: version: a value is needed", "line 4: transport: one of streamable-http, sse, stdio",
            "line 8: there is no key 'comand'", "line 9: arguments: a list is expected",
            "line 10: the image b:1 stands here a second time", "line 10: path: 'm' must begin with /",
            "line 11: there is no key 'more'",
        ] { #expect(error.message.contains(words), "\(words)") }
        #expect(error.exitCode == 78)
    }

    @Test("an empty catalogue is no fault")
    func empty() throws {
        #expect(try read("").images.isEmpty)
        #expect(try read("images:\n").images.isEmpty)
    }
}
