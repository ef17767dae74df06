// SPDX-License-Identifier: MIT

import ArgumentParser

@main
struct MCPGateway: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mcp-gateway",
        abstract: "A session-affine reverse proxy and control plane for MCP servers.",
        discussion: """
            Start a gateway, deploy a server with one POST, paste its URL into an MCP client:

              mcp-gateway serve --catalogue dev/catalogue.yaml
              curl -X POST http://127.0.0.1:8000/adapters -H 'Content-Type: application/json' \\
                -d '{"name":"mcp-example","imageName":"mcp-example","imageVersion":"1.0.0"}'
              http://127.0.0.1:8000/adapters/mcp-example/mcp
            """,
        version: Version.current,
        subcommands: [ServeCommand.self, BridgeCommand.self, CheckCommand.self])
}
