-- The thorough way, by what is to be done.

local function about(number)
  id, permit = ids[number + 1], permits[number + 1]
end

local function question(number, ...)
  about(number)
  requests, tokens, lease, asking, class, ways, ways_at = ...
end

return {
  [ASK] = function(...)
    question(...)
    return reserve()
  end,
  [GIVE_BACK] = function(...)
    question(...)
    give_back()
  end,
  [SETTLE] = function(number, p, used)
    about(number)
    settle(p.domain, used)
  end,
  [RELEASE] = function(number, p, ended, probe)
    about(number)
    method = p.method
    release(p, ended, probe)
  end,
}
