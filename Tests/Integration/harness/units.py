# SPDX-License-Identifier: MIT
"""The gateway with a service manager, in the machine that Tests/Systemd/machine makes."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness import processes
from harness.gateway import Gateway

# Whose manager runs in the machine.
USER = "mcptest"


@dataclass(frozen=True)
class Scope:
    """Whose manager it is: the machine's, or the one of a user, for whom root acts here."""

    name: str

    @staticmethod
    def of_this_run() -> "Scope | None":
        """What dev/test and dev/chaos ask for; none for child processes."""
        if os.environ.get("MCP_GATEWAY_TEST_LAUNCHER", "child") != "systemd":
            return None
        return Scope(os.environ["MCP_GATEWAY_TEST_SYSTEMD"])

    @property
    def user(self) -> pwd.struct_passwd | None:
        return pwd.getpwnam(USER) if self.name == "user" else None

    @property
    def environment(self) -> dict[str, str]:
        if not self.user:
            return {}
        runtime = f"/run/user/{self.user.pw_uid}"
        bus = f"unix:path={runtime}/bus"
        return {"HOME": self.user.pw_dir, "USER": USER, "XDG_RUNTIME_DIR": runtime, "DBUS_SESSION_BUS_ADDRESS": bus}

    @property
    def identity(self) -> dict[str, object]:
        """Arguments of Popen."""
        if not self.user:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def own(self, *folders: Path) -> None:
        """Lets the gateway use what root has made, and pass the folders above."""
        for folder in folders if self.user else ():
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)
            for above in folder.parents[:-1]:
                above.chmod(above.stat().st_mode | 0o111)

    def systemctl(self, *arguments: str) -> str:
        command = ["systemctl", f"--{self.name}", *arguments]
        environment = os.environ | self.environment
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, **self.identity)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def units(self) -> list[str]:
        """All that the manager knows of servers, running or not."""
        lines = self.systemctl("list-units", "--all", "--plain", "--no-legend", "mcp-gateway-*").splitlines()
        return [line.split()[0] for line in lines]

    @property
    def can_restart(self) -> bool:
        return self.user is not None

    def restart(self) -> None:
        """Stops the user's manager with all that it runs, and starts it again."""
        assert self.user
        subprocess.run(["systemctl", "restart", f"user@{self.user.pw_uid}.service"], check=True, timeout=120)


class UnitGateway(Gateway):
    """A gateway whose servers are units, and no children of its own."""

    def __init__(self, directory: Path, scope: Scope) -> None:
        super().__init__(directory, environment=scope.environment, flags=["--launcher", "systemd"])
        self.identity = scope.identity

    def servers(self) -> list[processes.Process]:
        found = [*super().servers(), *processes.in_units("mcp-gateway-")]
        self._seen = list({*self._seen, *found})
        return found
