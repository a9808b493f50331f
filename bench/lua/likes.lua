-- Reactions: every request is an event. Each thread walks over its own pairs of user and pizza, liking in the first round,
-- disliking in the second, and so on; a pair comes again long after it was answered.
-- Arguments: a file of session cookies, a file of pizzas' paths, the number of threads.

local number = 0

function setup(thread)
  thread:set("thread_number", number)
  number = number + 1
end

-- A request is put together of what stands before the path, the path, and what stands behind it: the user and the reaction.
local likes, dislikes, pizzas, at = {}, {}, {}, 0

local function behind_path(cookie, reaction)
  local headers = { ["Cookie"] = cookie, ["Content-Type"] = "application/json" }
  return wrk.format("PUT", "@", headers, '{"reaction":"' .. reaction .. '"}'):match("^PUT @(.*)$")
end

function init(args)
  for cookie in io.lines(args[1]) do
    likes[#likes + 1] = behind_path(cookie, "like")
    dislikes[#dislikes + 1] = behind_path(cookie, "dislike")
  end
  local line, threads = 0, tonumber(args[3])
  for path in io.lines(args[2]) do
    if line % threads == thread_number then
      pizzas[#pizzas + 1] = "PUT " .. path .. "/reaction"
    end
    line = line + 1
  end
end

function request()
  local user, step = at % #likes, math.floor(at / #likes)
  -- Users are at different pizzas at the same time, and each is at all of them in a round.
  local pizza, round = (step + user) % #pizzas, math.floor(step / #pizzas)
  at = at + 1
  local behind = round % 2 == 0 and likes or dislikes
  return pizzas[pizza + 1] .. behind[user + 1]
end
