# SPDX-License-Identifier: MIT
"""What the integration tests stand on: the gateway as a process, its API, MCP clients and raw sockets."""
