// SPDX-License-Identifier: MIT

/// A stdio server in Python, without packages, that does what a test asks for.
///
/// The first argument says how it begins: `legacy`, `modern`, `dual`, `fragile` (ends when the first message is not
/// `initialize`), `silent` (answers nothing), `refusing` (answers `initialize` with an error), `deaf` (ignores the end of
/// its input and SIGTERM).
enum StdioServer {
    /// The command and its arguments.
    static func command(_ mode: String) -> (String, [String]) {
        ("python3", ["-c", script, mode])
    }

    private static let script = #"""
        import json, os, signal, subprocess, sys, time
        mode = sys.argv[1]
        if mode == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        count, waiting, held, cancelled, subscriptions, first = 0, {}, [], [], [], True
        VERSION = "io.modelcontextprotocol/protocolVersion"
        SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"

        def send(message):
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            sys.stdout.flush()

        def text(id, value):
            send({"id": id, "result": {"text": value}})

        def call(id, name, arguments, meta, line):
            global count
            count += 1
            token = meta.get("progressToken")
            if name == "echo": text(id, arguments)
            elif name == "count": text(id, count)
            elif name == "pid": text(id, os.getpid())
            elif name == "raw": text(id, line)
            elif name == "environment": text(id, sorted(os.environ))
            elif name == "cancelled": text(id, cancelled)
            elif name == "hold": held.append(id)
            elif name == "release":
                for other in held: text(other, "released")
                held.clear()
                text(id, "done")
            elif name == "sample":
                send({"id": "s%s" % count, "method": "sampling/createMessage", "params": {}})
                waiting["s%s" % count] = id
            elif name == "ping":
                send({"id": "p%s" % count, "method": "ping"})
                waiting["p%s" % count] = id
            elif name == "progress":
                for step in (1, 2):
                    send({"method": "notifications/progress", "params": {"progressToken": token, "progress": step}})
                text(id, "done")
            elif name == "progress-then-hold":
                send({"method": "notifications/progress", "params": {"progressToken": token, "progress": 1}})
                held.append(id)
            elif name == "news":
                send({"method": "notifications/tools/list_changed"})
                for subscription in subscriptions:
                    send({"method": "notifications/tools/list_changed", "params": {"_meta": {SUBSCRIPTION: subscription}}})
                text(id, "done")
            elif name == "log":
                send({"method": "notifications/message", "params": {"level": "info", "data": arguments}})
                text(id, "done")
            elif name == "flood":
                for index in range(arguments["count"]):
                    send({"method": "notifications/message", "params": {"data": "x" * arguments["size"], "n": index}})
                text(id, "done")
            elif name == "big": text(id, "x" * arguments["size"])
            elif name == "garbage":
                sys.stdout.write("not json\n{\"half\": \n\n[]\n{\"jsonrpc\":\"1.0\"}\n\xff\xfe\n")
                sys.stdout.flush()
                text(id, "done")
            elif name == "stderr":
                sys.stderr.write(("e" * 99 + "\n") * (arguments["size"] // 100))
                sys.stderr.flush()
                text(id, "done")
            elif name == "die": os._exit(3)
            elif name == "close-output":
                sys.stdout.flush()
                os.close(1)
            elif name == "fork":
                child = subprocess.Popen(["python3", "-c",
                    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('{}', flush=True)\ntime.sleep(600)"])
                text(id, child.pid)
            elif name == "unknown": send({"id": id, "error": {"code": -32601, "message": "no such tool"}})
            else: send({"id": id, "error": {"code": -32602, "message": "bad arguments"}})

        def handle(message, line):
            global first
            method, id, params = message.get("method"), message.get("id"), message.get("params") or {}
            if mode == "fragile" and first and method != "initialize": os._exit(1)
            first = False
            if method is None:
                text(waiting.pop(message["id"]), message.get("result", message.get("error")))
            elif mode == "silent": pass
            elif method == "initialize":
                if mode == "refusing" or mode == "modern":
                    return send({"id": id, "error": {"code": -32602, "message": "no", "data": {"supported": []}}})
                send({"id": id, "result": {"protocolVersion": params["protocolVersion"], "capabilities": {},
                    "serverInfo": {"name": "fixture", "version": "1"}}})
            elif method == "server/discover":
                if mode not in ("modern", "dual"):
                    return send({"id": id, "error": {"code": -32601, "message": "no such method"}})
                send({"id": id, "result": {"resultType": "complete", "supportedVersions": ["2026-07-28"],
                    "capabilities": {}, "ttlMs": 0, "cacheScope": "private"}})
            elif method == "notifications/cancelled": cancelled.append(params["requestId"])
            elif method == "subscriptions/listen":
                subscriptions.append(id)
                send({"method": "notifications/subscriptions/acknowledged", "params": {"_meta": {SUBSCRIPTION: id}}})
            elif method == "tools/call": call(id, params["name"], params.get("arguments"), params.get("_meta", {}), line)
            elif id is not None: send({"id": id, "result": {}})

        while True:
            line = sys.stdin.readline()
            if not line: break
            handle(json.loads(line), line)
        while mode == "deaf": time.sleep(600)
        """#
}
