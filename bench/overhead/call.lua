-- One POST again and again, of some JSON or of 1 MiB of bytes; an answer without what was sent in
-- it is counted as wrong.
local threads = {}
function setup(thread)
  table.insert(threads, thread)
end
function init(args)
  wrong = 0
  wrk.method = "POST"
  binary = args[1] == "binary"
  if args[2] then wrk.headers["Authorization"] = args[2] end
  if binary then
    wrk.headers["Content-Type"] = "application/octet-stream"
    wrk.body = string.rep("a", 1048576)
  else
    wrk.headers["Content-Type"] = "application/json"
    wrk.body = '{"text": "' .. string.rep("a", 96) .. '"}'
  end
end
function response(status, headers, body)
  local right = binary and #body == 1048576 or not binary and body:find("aaaaaaaa", 1, true)
  if status ~= 200 or not right then wrong = wrong + 1 end
end
function done(summary, latency, requests)
  local wrong = 0
  for _, thread in ipairs(threads) do wrong = wrong + thread:get("wrong") end
  local failed = summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format("RESULT %.3f %.3f %.1f %d %d\n", latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, summary.requests / (summary.duration / 1e6), summary.requests,
    wrong + failed))
end
