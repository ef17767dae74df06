-- SPDX-License-Identifier: MIT
-- One tools/call per request, with the headers of a real client; each connection keeps to sessions of the list.
local sessions = {}
for line in io.lines(os.getenv("SESSIONS")) do sessions[#sessions + 1] = line end
local size = tonumber(os.getenv("REQUEST_BYTES") or "1024")
local head = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"'
local tail = '"}}}'
local body = head .. string.rep("x", size - #head - #tail) .. tail
local requests, i = {}, 0
function init()
  for n, session in ipairs(sessions) do
    requests[n] = wrk.format("POST", nil, {
      ["Content-Type"] = "application/json", ["Accept"] = "application/json, text/event-stream",
      ["MCP-Protocol-Version"] = "2025-11-25", ["Mcp-Session-Id"] = session, ["User-Agent"] = "benchmark",
    }, body)
  end
end
function request()
  i = i % #requests + 1
  return requests[i]
end
