-- SPDX-License-Identifier: MIT
-- One message per request, with the headers of a real client: a tools/call of one of the sessions in the list, or an
-- initialize, as MESSAGE says. Prints the latencies as one line at the end.
local sessions = {}
for line in io.lines(os.getenv("SESSIONS")) do sessions[#sessions + 1] = line end
local size = tonumber(os.getenv("REQUEST_BYTES") or "1024")
local head = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"'
local tail = '"}}}'
local body = head .. string.rep("x", size - #head - #tail) .. tail
local isInitialize = os.getenv("MESSAGE") == "initialize"
if isInitialize then
  body = '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},' ..
    '"clientInfo":{"name":"benchmark","version":"1"}}}'
  sessions = { "none" }
end
local requests, i = {}, 0
function init()
  for n, session in ipairs(sessions) do
    local headers = {
      ["Content-Type"] = "application/json", ["Accept"] = "application/json, text/event-stream",
      ["User-Agent"] = "benchmark",
    }
    if not isInitialize then
      headers["MCP-Protocol-Version"] = "2025-11-25"
      headers["Mcp-Session-Id"] = session
    end
    requests[n] = wrk.format("POST", nil, headers, body)
  end
end
-- What each connection waits between an answer and its next request: the proxies are not driven to their limit then.
local think = tonumber(os.getenv("THINK_MS") or "0")
if think > 0 then
  function delay()
    return math.random(0, 2 * think)
  end
end
function done(summary, latency)
  print(string.format("latency p50=%d p99=%d p99.9=%d", latency:percentile(50), latency:percentile(99),
    latency:percentile(99.9)))
end
function request()
  i = i % #requests + 1
  return requests[i]
end
