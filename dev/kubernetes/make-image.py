#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a container image of one layer from a root directory: make-image.py FOLDER NAME:TAG ARCHIVE COMMAND [ARGUMENT...]

The archive has the format of "docker save", which containerd imports.
"""

import hashlib
import io
import json
import platform
import subprocess
import sys
import tarfile
import tempfile

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def main() -> int:
    if len(sys.argv) < 5:
        print(__doc__, file=sys.stderr)
        return 2
    folder, name, archive, *command = sys.argv[1:]
    with tempfile.NamedTemporaryFile(suffix=".tar") as layer, tarfile.open(archive, "w") as image:
        subprocess.run(
            ["tar", "--numeric-owner", "--owner=0", "--group=0", "--directory", folder, "-cf", layer.name, "."],
            check=True,
        )
        digest = hashlib.file_digest(layer, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else sha256(layer)
        configuration = json.dumps({
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()],
            "os": "linux",
            "config": {"Entrypoint": command, "Env": [f"PATH={PATH}"], "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created_by": "make-image.py"}],
        }).encode()
        identity = hashlib.sha256(configuration).hexdigest()

        def add(path: str, content: bytes) -> None:
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            image.addfile(entry, io.BytesIO(content))

        add(f"{identity}.json", configuration)
        image.add(layer.name, f"{digest}/layer.tar")
        manifest = {"Config": f"{identity}.json", "RepoTags": [name], "Layers": [f"{digest}/layer.tar"]}
        add("manifest.json", json.dumps([manifest]).encode())
    return 0


def sha256(file) -> str:
    """What hashlib.file_digest does, for Python 3.10."""
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
