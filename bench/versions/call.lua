-- Posts a short JSON text to one of many versions, chosen at random, and checks every answer.
-- wrk ... -- KEY COUNT prints "RESULT p50 p99 calls/s calls wrong", times in milliseconds.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  math.randomseed(7)
  wrong = 0
  count = tonumber(args[2])
  headers = { ["Content-Type"] = "application/json", ["Authorization"] = args[1] }
end

function request()
  local n = math.random(0, count - 1)
  return wrk.format("POST", "/v1/algo/bench/Echo" .. n, headers, '"hello"')
end

function response(status, _, body)
  if status ~= 200 or not string.find(body, '"result":"hello"', 1, true) then
    wrong = wrong + 1
  end
end

function done(summary, latency)
  local failed = 0
  for _, thread in ipairs(threads) do
    failed = failed + thread:get("wrong")
  end
  io.write(string.format(
    "RESULT %.3f %.3f %.1f %d %d\n", latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    summary.requests / summary.duration * 1e6, summary.requests, failed
  ))
end
