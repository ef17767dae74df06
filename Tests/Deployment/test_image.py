# SPDX-License-Identifier: MIT
"""The image: its Dockerfile, and the root directory that it is made of."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from rendering import ROOT

CONTAINER = ROOT / "deployment" / "container"
BINARY = Path(os.environ.get("MCP_GATEWAY_BINARY", ROOT / ".build" / "debug" / "mcp-gateway"))


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the Dockerfile's last stage copies."""
    if not BINARY.exists():
        pytest.skip(f"there is no {BINARY}: build it, or set MCP_GATEWAY_BINARY")
    folder = tmp_path_factory.mktemp("image")
    done = subprocess.run([CONTAINER / "make-root", folder, BINARY], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the program with nothing but the image, as its user."""
    if os.geteuid() != 0:
        pytest.skip("changing the root directory takes root")
    # As in a container there is /proc, which programs in Swift read their arguments from.
    script = 'mount -t proc proc "$0/proc" && exec chroot --userspec=1100:1100 "$0" /usr/local/bin/mcp-gateway "$@"'
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, root, *arguments], capture_output=True, text=True, timeout=60)


def test_program_finds_all_its_libraries(root: Path) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", run(root, "--version").stdout.strip())


def test_check_says_why_there_is_no_gateway(root: Path) -> None:
    done = run(root, "check", "--port", "1")
    assert (done.returncode, done.stderr) == (1, "mcp-gateway check: 127.0.0.1:1: Connection refused\n")


def test_there_is_nothing_else_to_run(root: Path) -> None:
    programs = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() and os.access(path, os.X_OK)}
    assert {path for path in programs if ".so" not in path} == {"usr/local/bin/mcp-gateway"}


def test_libcurl_is_there_with_all_that_it_needs(root: Path) -> None:
    """It is opened at run time, so no linker misses it."""
    [curl] = root.rglob("libcurl.so.4")
    found = {path.name for path in root.rglob("*.so*")}
    listing = subprocess.run(["readelf", "--dynamic", curl], capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"\(NEEDED\).*\[(.*)\]", listing)) <= found


def test_dockerfile_ends_in_a_small_image_without_privileges() -> None:
    text = (CONTAINER / "Dockerfile").read_text()
    last = text[text.rindex("\nFROM "):]
    assert last.startswith("\nFROM scratch\n")
    for line in ("USER 1100:1100", 'ENTRYPOINT ["/usr/local/bin/mcp-gateway"]', 'CMD ["serve"]'):
        assert f"\n{line}\n" in last
    assert 'HEALTHCHECK' in last and '"/usr/local/bin/mcp-gateway", "check"' in last
    # One file for all architectures: nothing in it names one.
    assert not re.search(r"amd64|x86_64|aarch64|arm64", re.sub(r"(?m)^#.*", "", text))
    # What only BuildKit knows would keep other builders out.
    assert "--mount" not in text and "# syntax" not in text
