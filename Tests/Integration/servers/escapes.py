# SPDX-License-Identifier: MIT
"""A server that leaves processes behind in every way there is, and writes their ids to a folder: escapes.py FOLDER [stdio]"""

import http.server
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
STAY = "import signal, time\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\ntime.sleep(3600)"
COMMAND = [sys.executable, "-I", "-S", "-c", STAY]


def note(kind: str, pid: int) -> None:
    (folder / f"{kind}-{pid}").touch()


def daemon(kind: str, environment: dict[str, str] | None) -> None:
    """Forks twice, with a session of its own in between, as daemon(3) does."""
    first = os.fork()
    if first:
        os.waitpid(first, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    note(kind, os.getpid())
    null = os.open(os.devnull, os.O_RDWR)
    for target in range(3):
        os.dup2(null, target)
    os.execve(COMMAND[0], COMMAND, os.environ if environment is None else environment)


note("session", subprocess.Popen(COMMAND, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).pid)
note("group", subprocess.Popen(COMMAND, process_group=0, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).pid)
daemon("daemon", None)
if "nameless" in sys.argv:
    daemon("nameless", {})


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(405)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_DELETE = do_HEAD = do_OPTIONS = do_GET


if "stdio" in sys.argv:
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("method") == "initialize":
            result = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "escapes", "version": "1"}}
            print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(3600)
else:
    address = (os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"]))
    http.server.ThreadingHTTPServer(address, Handler).serve_forever()
