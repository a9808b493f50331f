-- Reactions: every request is an event. Each thread walks over its own pairs of user and pizza, liking in the first round,
-- disliking in the second, and so on; a pair comes again long after it was answered.
-- Arguments: a file of session cookies, a file of pizzas' paths, the number of threads.

local number = 0

function setup(thread)
  thread:set("thread_number", number)
  number = number + 1
end

local users, pizzas, at = {}, {}, 0

function init(args)
  for cookie in io.lines(args[1]) do
    users[#users + 1] = { ["Cookie"] = cookie, ["Content-Type"] = "application/json" }
  end
  local line, threads = 0, tonumber(args[3])
  for path in io.lines(args[2]) do
    if line % threads == thread_number then
      pizzas[#pizzas + 1] = path .. "/reaction"
    end
    line = line + 1
  end
end

local bodies = { [0] = '{"reaction":"like"}', [1] = '{"reaction":"dislike"}' }

function request()
  local user, step = at % #users, math.floor(at / #users)
  -- Users are at different pizzas at the same time, and each is at all of them in a round.
  local pizza, round = (step + user) % #pizzas, math.floor(step / #pizzas)
  at = at + 1
  return wrk.format("PUT", pizzas[pizza + 1], users[user + 1], bodies[round % 2])
end
