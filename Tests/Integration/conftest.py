# SPDX-License-Identifier: MIT
"""Fixtures: a gateway for each module, and one for each test that stops or breaks it."""

import os
import traceback
from collections.abc import Generator, Iterator
from typing import Any

import pytest
import requests

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


FAILED = pytest.StashKey[bool]()


def leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Shows what failed inside of the task groups of clients, which pytest cuts off at a depth of ten."""
    report = yield
    item.stash[FAILED] = report.failed
    if call.excinfo and isinstance(call.excinfo.value, BaseExceptionGroup):
        for leaf in leaves(call.excinfo.value):
            report.sections.append(("What failed", "".join(traceback.format_exception(leaf))))
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Tells why a test was tried again; of the first try nothing would be seen otherwise."""
    if report.outcome == "rerun":
        print(f"\n{report.nodeid} is tried again, since:\n{report.longreprtext}")
        for title, text in report.sections:
            print(f"--- {title}\n{text[-4000:]}")


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


@pytest.fixture(autouse=True)
def leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Removes what a failed test leaves in the module's gateway, so that the next ones begin as it did."""
    if "api" not in request.fixturenames:
        yield
        return
    api: ControlPlane = request.getfixturevalue("api")
    before = api.names()
    yield
    if request.node.stash.get(FAILED, False):
        try:
            for name in api.names() - before:
                api.request("DELETE", f"/adapters/{name}")
        except (AssertionError, requests.RequestException) as error:
            print(f"what the test left can't be removed: {error}")


@pytest.fixture
def own_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that the test may stop, kill and start again."""
    with Gateway(tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture
def own_api(own_gateway: Gateway) -> ControlPlane:
    return ControlPlane(own_gateway)
