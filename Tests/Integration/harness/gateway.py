# SPDX-License-Identifier: MIT
"""The gateway as a process: started on a free port with a data directory of its own, stopped by a signal."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from harness import processes
from harness.places import BINARY, TEST_CATALOGUE
from harness.processes import Process
from harness.waiting import until


class Gateway:
    """`with Gateway(directory) as gateway:` starts it, waits until it listens, and stops it.

    Leaving the block checks that it exits with 0 and that no process it started is left.
    """

    def __init__(
        self,
        directory: Path,
        *,
        catalogue: Path | None = TEST_CATALOGUE,
        flags: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.command = [str(BINARY), "serve", "--port", "0", "--data-directory", str(directory / "data")]
        if catalogue is not None:
            self.command += ["--catalogue", str(catalogue)]
        # What a test sees below the gateway are its children, whatever else this machine could do.
        if "--launcher" not in flags:
            # dev/test systemd tries some tests with units as well.
            self.command += ["--launcher", os.environ.get("MCP_GATEWAY_TEST_LAUNCHER", "child")]
        self.command += flags
        # The settings of whoever runs the tests must not reach the gateway.
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("MCP_GATEWAY_")}
        self.environment |= environment or {}
        self.log_file = directory / "gateway.log"
        # Whose it is, as arguments of Popen; of whoever runs the tests by default.
        self.identity: dict[str, Any] = {}
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._seen: list[Process] = []
        # Children that are of others.
        self._others = processes.adopted()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def log(self) -> str:
        """What the gateway wrote to standard error, over all its starts."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def mcp(self, adapter: str) -> str:
        return f"{self.url}/adapters/{adapter}/mcp"

    def sse(self, adapter: str) -> str:
        return f"{self.url}/adapters/{adapter}/sse"

    def servers(self) -> list[Process]:
        """The processes that the gateway runs now, theirs included."""
        found = processes.descendants(self.pid)
        self._seen = list({*self._seen, *found})
        # Units may outlive it, if it is told to keep them.
        return [*found, *processes.in_units("mcp-gateway-")] if "systemd" in self.command else found

    def start(self, seconds: float = 20.0) -> None:
        """Starts it and waits until it says where it listens."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment,
                **self.identity,
            )
        processes.started_here(self._process.pid)
        assert self._process.stdout is not None
        output, deadline = b"", time.monotonic() + seconds
        while time.monotonic() < deadline:
            readable, _, _ = select.select([self._process.stdout], [], [], 0.1)
            if not readable:
                continue
            chunk = os.read(self._process.stdout.fileno(), 4096)
            output += chunk
            for line in output.decode().splitlines(keepends=True):
                if line.startswith("listening on ") and line.endswith("\n"):
                    self.url = line.removeprefix("listening on ").strip()
                    return
            if not chunk:
                break
        code = self._process.poll()
        raise AssertionError(f"the gateway does not listen; exit code {code}, output {output!r}, log:\n{self.log[-4000:]}")

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self.servers()
        self._process.send_signal(number)

    def wait(self, seconds: float = 30.0) -> int:
        """Waits until it has ended and returns its exit code; negative for a signal."""
        assert self._process is not None and self._process.stdout is not None
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"the gateway did not end within {seconds:g} s; log:\n{self.log[-4000:]}") from None
        finally:
            self._process.stdout.close()
        self._process = None
        return code

    def stop(self) -> None:
        """SIGTERM: it drains, exits with 0 and leaves no process behind."""
        self.signal(signal.SIGTERM)
        code = self.wait()
        strays = self.strays()
        assert code == 0, f"the gateway ended with {code}; log:\n{self.log[-4000:]}"
        assert not strays, f"left behind: {[str(stray) for stray in strays]}"

    def kill(self) -> None:
        """SIGKILL: nothing it started may outlive it for long."""
        self.signal(signal.SIGKILL)
        self.wait()
        until(lambda: not self.strays(), "the servers of a killed gateway end", seconds=10)

    def restart(self) -> None:
        self.stop()
        self.start()

    def strays(self) -> list[Process]:
        """Processes that were seen below the gateway, or that the kernel handed to us since, and still run."""
        processes.reap_adopted()
        adopted = [child for child in processes.adopted() if child not in self._others]
        return list({*processes.still_running(self._seen), *adopted})

    def __enter__(self) -> "Gateway":
        self._others = processes.adopted()
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._process is None:
            return
        if kind is None:
            self.stop()
            return
        # The test has failed already: only clean up, so that its own error is the one that is shown.
        self.signal(signal.SIGTERM)
        self.wait()
