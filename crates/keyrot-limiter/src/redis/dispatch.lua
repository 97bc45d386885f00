-- The thorough way, by what is to be done.

local function about(this)
  number, id, permit = this, ids[this], permits[this]
end

local function question(this, ...)
  about(this)
  requests, tokens, lease, asking, class, ways, ways_at, caller_at = ...
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
  [SETTLE] = function(this, p, used)
    about(this)
    settle(p.domain, used)
  end,
  [RELEASE] = function(this, p, ended, probe, stamp)
    about(this)
    method = p.method
    release(p, ended, probe, stamp)
  end,
  told = told,
}
