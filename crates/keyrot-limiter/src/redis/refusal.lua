-- Whether a candidate may go, and if not, what keeps it longest. A refusal is how long, what sort of
-- why, and the why: a limit, or a scope and a reason.

-- The limits of the minute, the second and the day.
local function limit_refusal(l, c, requests, tokens, guard_now)
  prune(l, WINDOW + guard_now)
  roll(l)
  if requests == 0 and tokens == 0 then
    return nil
  end
  local kind, at = full(l, c, requests, tokens, WINDOW + guard_now)
  if c.rpd >= 0 then
    local day_at = day_full(l, c.rpd, requests, guard_now)
    -- Of two that end together, the day.
    if day_at and (not kind or max(day_at - now, 0) >= max(at - now, 0)) then
      kind, at = RPD, day_at
    end
  end
  if not kind then
    return nil
  end
  return max(at - now, 0), at == NEVER and TOO_LARGE or LIMIT, kind, 0
end

-- The key's places in flight: a sorted set of permits by the end of their leases.
local function places_refusal(c)
  if c.concurrency < 0 then
    return nil
  end
  local name, after = prefix .. 'f:' .. c.key, '(' .. now
  c.in_flight = typed_call('ZCOUNT', name, after, '+inf')
  local leaving = c.in_flight + 1 - c.concurrency
  if leaving <= 0 then
    return nil
  end
  if c.concurrency == 0 then
    return NEVER, TOO_LARGE, CONCURRENCY, 0
  end
  local last = call('ZRANGEBYSCORE', name, after, '+inf', 'WITHSCORES', 'LIMIT', leaving - 1, 1)[2]
  return (last == 'inf' and NEVER or tonumber(last)) - now, LIMIT, CONCURRENCY, 0
end

-- Opens the cooldowns in `texts`, the pool's at `first`, and gives the refusal of the one that lasts longest,
-- or whether who goes now is a probe.
local function scopes_refusal(c, texts, first)
  local wait, scope, reason, probe = nil, nil, nil, false
  c.cooldowns = {}
  for i = 1, SCOPES do
    local text = texts[first + i - 1]
    if text then
      local cooldown = open_cooldown(text)
      c.cooldowns[i] = cooldown
      local at = gate(cooldown)
      if at == PROBE then
        probe = true
      elseif at == SHUT and (not wait or opens(cooldown) - now > wait) then
        wait, scope, reason = opens(cooldown) - now, i - 1, cooldown.reason
      end
    end
  end
  local text = texts[first + SCOPES]
  if text then
    c.breaker = open_breaker(text)
    local at, admits = breaker_gate(c.breaker)
    probe = probe or admits
    if at and (not wait or at - now > wait) then
      wait, scope, reason = at - now, MODEL_SCOPE, OVERLOADED
    end
  end
  if wait then
    return false, wait, COOLING, scope, reason
  end
  return probe
end

-- The refusal that lasts longest, of two alike the later one: places, cooldowns, limits. Gives nothing
-- where the candidate may go, but notes in `c.probe` whether it would be a probe.
local function refusal(l, c, requests, tokens, guard_now, texts, first)
  local wait, sort, what, more = places_refusal(c)
  local probe, scope_wait, scope_sort, scope, reason = scopes_refusal(c, texts, first)
  c.probe = probe
  if scope_wait and (not wait or scope_wait >= wait) then
    wait, sort, what, more = scope_wait, scope_sort, scope, reason
  end
  local limit_wait, limit_sort, limit, none = limit_refusal(l, c, requests, tokens, guard_now)
  if limit_wait and (not wait or limit_wait >= wait) then
    wait, sort, what, more = limit_wait, limit_sort, limit, none
  end
  return wait, sort, what, more
end
