# SPDX-License-Identifier: MIT
"""Where things are."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TESTS = ROOT / "Tests" / "Integration"
BINARY = Path(os.environ.get("MCP_GATEWAY_BINARY", ROOT / ".build" / "debug" / "mcp-gateway"))
SAMPLES_PYTHON = ROOT / "dev" / ".venv" / "samples" / "bin" / "python3"
SDK_V1_PYTHON = ROOT / "dev" / ".venv" / "sdk-v1" / "bin" / "python3"
SAMPLE_CATALOGUE = ROOT / "dev" / "catalogue.yaml"
TEST_CATALOGUE = TESTS / "catalogue.yaml"
OPENAPI = ROOT / "openapi" / "mcp-gateway.openapi.yaml"
