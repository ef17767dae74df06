// SPDX-License-Identifier: MIT

import ArgumentParser

@main
struct MCPGateway: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "mcp-gateway")
}
