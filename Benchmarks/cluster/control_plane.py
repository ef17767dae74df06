# SPDX-License-Identifier: MIT
"""An API server with its etcd, and this program in the place of controllers, scheduler and kubelets."""
import http.client
import json
import os
import queue
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from harness import ROOT, free_port

PROGRAMS = os.path.join(
    os.environ.get("MCP_GATEWAY_CLUSTER_HOME")
    or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "mcp-gateway", "kubernetes"), "bin")
NAMESPACE = "bench"


class ControlPlane:
    """etcd and kube-apiserver of `dev/cluster build`, on free ports, with everything in a folder of their own."""

    def __init__(self, folder):
        self.folder = folder
        self.port, self.processes = free_port(), []
        self.tokens = {"admin": "admin-token", "gateway": "gateway-token"}
        self._connections = threading.local()

    def _start(self, *command):
        log = open(f"{self.folder}/{os.path.basename(command[0])}.log", "w")
        self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))

    def start(self):
        etcd, peer = free_port(), free_port()
        self._start("etcd", "--unsafe-no-fsync", "--data-dir", f"{self.folder}/etcd", "--listen-client-urls", f"http://127.0.0.1:{etcd}",
                    "--advertise-client-urls", f"http://127.0.0.1:{etcd}", "--listen-peer-urls", f"http://127.0.0.1:{peer}",
                    "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}", "--initial-cluster", f"default=http://127.0.0.1:{peer}")
        with open(f"{self.folder}/tokens", "w") as file:
            # The gateway is nobody special: the server's fair queues hold for it.
            file.write(f'{self.tokens["admin"]},admin,1,"system:masters"\n{self.tokens["gateway"]},gateway,2\n')
        subprocess.run(["openssl", "genrsa", "-out", f"{self.folder}/accounts.key", "2048"], check=True, capture_output=True)
        key = f"{self.folder}/accounts.key"
        self._start(f"{PROGRAMS}/kube-apiserver", f"--etcd-servers=http://127.0.0.1:{etcd}", "--bind-address=127.0.0.1",
                    "--advertise-address=127.0.0.1", f"--secure-port={self.port}", f"--cert-dir={self.folder}",
                    f"--token-auth-file={self.folder}/tokens", "--authorization-mode=AlwaysAllow",
                    "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={key}",
                    f"--service-account-signing-key-file={key}", "--service-cluster-ip-range=10.0.0.0/24",
                    "--endpoint-reconciler-type=none", "--disable-admission-plugins=ServiceAccount")
        self.authority = f"{self.folder}/apiserver.crt"
        deadline = time.monotonic() + 60
        while not self.is_ready():
            if time.monotonic() > deadline:
                sys.exit(f"the API server is not ready; see {self.folder}/kube-apiserver.log")
            time.sleep(0.1)
        self.kubeconfig = f"{self.folder}/kubeconfig"
        with open(self.kubeconfig, "w") as file:
            file.write(json.dumps({
                "apiVersion": "v1", "kind": "Config", "current-context": "c",
                "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{self.port}", "certificate-authority": self.authority}}],
                "users": [{"name": "u", "user": {"token": self.tokens["gateway"]}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE}}]}))
        self.call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        definition = f"{ROOT}/deployment/kubernetes/base/adapters.mcp-gateway.dev.yaml"
        with open(definition) as file:
            self.call("PATCH", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/adapters.mcp-gateway.dev?fieldManager=bench",
                      file.read(), "application/apply-patch+yaml")
        while self.call("GET", "/apis/mcp-gateway.dev/v1alpha1", may_fail=True) is None:
            time.sleep(0.1)

    def is_ready(self):
        try:
            return self.call("GET", "/readyz", may_fail=True, is_text=True) is not None
        except OSError:
            return False

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()

    def _connect(self):
        trust = ssl.create_default_context(cafile=self.authority)
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=trust, timeout=60)

    def call(self, method, path, body=None, kind="application/json", may_fail=False, is_text=False):
        """With a connection for each thread."""
        text = body if isinstance(body, (str, type(None))) else json.dumps(body)
        for attempt in range(2):
            connection = getattr(self._connections, "connection", None) or self._connect()
            self._connections.connection = connection
            try:
                connection.request(method, path, text, {"Authorization": f"Bearer {self.tokens['admin']}", "Content-Type": kind})
                answer = connection.getresponse()
                data = answer.read()
                break
            except (http.client.HTTPException, OSError):
                self._connections.connection = None
                if attempt:
                    raise
        if answer.status // 100 != 2:
            if may_fail:
                return None
            raise RuntimeError(f"{method} {path}: {answer.status} {data[:500]!r}")
        return data if is_text else json.loads(data)


class Controllers:
    """Makes the pods of each StatefulSet that appears, and has them run: what controllers, scheduler and kubelets do."""

    def __init__(self, control_plane, threads=6):
        self.control_plane, self.pods, self._seen = control_plane, [], set()
        self.first = self.last = None
        self._work = queue.SimpleQueue()
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(threads)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._ended.set()
        self._thread.join()
        self._pool.shutdown()

    def _run(self):
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets"
        while not self._ended.wait(0.5):
            for found in self.control_plane.call("GET", path)["items"]:
                if found["metadata"]["name"] not in self._seen:
                    self._seen.add(found["metadata"]["name"])
                    for ordinal in range(found["spec"]["replicas"]):
                        self._pool.submit(self._make, found, ordinal)

    def _make(self, owner, ordinal):
        name = f"{owner['metadata']['name']}-{ordinal}"
        template = json.loads(json.dumps(owner["spec"]["template"]))
        template["spec"] |= {"nodeName": f"node-{ordinal}", "hostname": name}
        reference = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"], "controller": True}
        self.control_plane.call("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", {
            "metadata": {"name": name, "labels": template["metadata"]["labels"], "annotations": template["metadata"].get("annotations", {}),
                         "ownerReferences": [reference]}, "spec": template["spec"]})
        self.set_ready(name, True)
        self.pods.append(name)

    def set_ready(self, name, is_ready):
        number = sum(name.encode()) % 250 + 1
        word = "True" if is_ready else "False"
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.control_plane.call("PATCH", f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/status", {"status": {
            "phase": "Running", "podIP": f"10.1.{hash(name) % 250}.{number}",
            "conditions": [{"type": kind, "status": word, "lastTransitionTime": moment} for kind in ("Ready", "ContainersReady")],
            "containerStatuses": [{"name": "server", "image": "example", "imageID": "", "ready": is_ready, "started": True, "restartCount": 0,
                                   "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]}}, "application/strategic-merge-patch+json")
