# SPDX-License-Identifier: MIT
"""Fixtures: a gateway for each module, and one for each test that stops or breaks it."""

import os
from collections.abc import Iterator

import pytest

from harness import processes
from harness.api import ControlPlane
from harness.gateway import Gateway
from harness.places import BINARY


def pytest_addoption(parser: pytest.Parser) -> None:
    stress = parser.getgroup("stress", "the test that kills gateways and servers at random")
    stress.addoption("--seconds", help="how long it goes on; 20 by default")
    stress.addoption("--sessions", help="how many sessions are open at once; 240 by default")


def pytest_configure(config: pytest.Config) -> None:
    # Read where they are needed; the module is imported later.
    for name in ("seconds", "sessions"):
        if value := config.getoption(f"--{name}"):
            os.environ[f"MCP_GATEWAY_STRESS_{name.upper()}"] = value


def pytest_sessionstart(session: pytest.Session) -> None:
    if not BINARY.exists():
        pytest.exit(f"{BINARY} does not exist: run dev/test, or set MCP_GATEWAY_BINARY", returncode=2)
    processes.adopt_orphans()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway for all tests of a module."""
    with Gateway(tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def api(gateway: Gateway) -> ControlPlane:
    return ControlPlane(gateway)


@pytest.fixture
def own_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that the test may stop, kill and start again."""
    with Gateway(tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture
def own_api(own_gateway: Gateway) -> ControlPlane:
    return ControlPlane(own_gateway)
