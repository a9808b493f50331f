-- New titles for one pizza: each is another one, so every request is an event.
-- Arguments: a file with the owner's cookie, a file with the pizza's path, the number of threads (not needed).

local number = 0

function setup(thread)
  thread:set("thread_number", number)
  number = number + 1
end

local path, headers, at = nil, nil, 0

function init(args)
  headers = { ["Cookie"] = io.lines(args[1])(), ["Content-Type"] = "application/json" }
  path = io.lines(args[2])()
end

function request()
  at = at + 1
  return wrk.format("PATCH", path, headers, '{"title":"Margherita ' .. thread_number .. "-" .. at .. '"}')
end
