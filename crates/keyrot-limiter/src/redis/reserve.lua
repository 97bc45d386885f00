-- Reserves the first of the candidates that may go, or says of each why not and for how long.

-- The answer: now, epoch, seq; how many were refused; whether one was granted and what; what each of
-- the refused was told; what each of all these has used.
local function answer(refused, granted, refusals, used)
  return pack('<dddd', now, epoch, seq, refused) .. granted .. table.concat(refusals) .. table.concat(used)
end

local function used_by(l)
  return pack('<ddd', l.requests, l.tokens, l.today)
end

local function used_now(domain)
  local l = ledger_of(domain)
  prune(l, WINDOW + guard())
  roll(l)
  return used_by(l)
end

local function granted_as(p)
  return pack('<ddddd', 1, p.index, p.seq, p.admitted, p.probe)
end

local NOT_GRANTED = pack('<d', 0)

-- What was asked is asked again, or has been given up.
local function asked_before(text)
  local p, own = permit_now(number), caller()
  if not p then
    -- A tombstone: of this asking, or of another that says nothing of this one.
    return #text >= 8 and unpack('<d', text) == asking and answer(0, NOT_GRANTED, {}, {})
  end
  if p.asking ~= asking then
    p.asking = asking
    remember(number, pack_permit(p), 'KEEPTTL')
    local charged = own and permit_now(own.number)
    if charged then
      charged.asking = asking
      remember(own.number, pack_permit(charged), 'KEEPTTL')
    end
  end
  if p.index >= ways then
    return answer(0, granted_as(p), {}, {})
  end
  local used = { used_now(candidate(p.index).domain) }
  if own then
    used[2] = used_now(own.domain)
  end
  return answer(0, granted_as(p), {}, used)
end

local function enter(c)
  -- By a clock that is not the server's nobody tells that he lives.
  local name, ends = prefix .. 'f:' .. c.key, now + (slack > 0 and lease or min(lease, PLACE_LIFE))
  typed_call('ZREMRANGEBYSCORE', name, '-inf', now)
  call('ZADD', name, ends, id)
  local life = min(lease, LONGEST) + slack
  if call('PTTL', name) < life then
    call('PEXPIRE', name, life)
  end
end

-- Charges a ledger, and remembers it as the permit of that number.
local function charge(this, l, index, probe, guard_now)
  local p = {
    asking = asking, index = index, seq = seq, admitted = now, probe = probe,
    charged = 0, slot = -1, requests = requests, tokens = tokens, settled = 0,
    start = l.start, ends = l.ends, in_yesterday = 0, in_tomorrow = 0,
  }
  if requests > 0 or tokens > 0 then
    p.charged = 1
    p.slot = charge_slot(l, requests, min(tokens, MOST_TOKENS))
    p.in_yesterday, p.in_tomorrow = charge_day(l, requests, guard_now)
    l.dirty = true
  end
  remember(this, pack_permit(p), 'PX', min(max(PERMIT_LIFE, lease), LONGEST) + slack)
  return p
end

local function grant(c, l, own, index, guard_now)
  seq = seq + 1
  if c.concurrency >= 0 then
    enter(c)
  end
  local p = charge(number, l, index, c.probe and 1 or 0, guard_now)
  if own then
    charge(own.number, ledger_of(own.domain), index, 0, guard_now)
  end
  if c.probe then
    for i = 1, SCOPES do
      local cooldown = c.cooldowns[i]
      if cooldown and gate(cooldown) == PROBE then
        take_probe(cooldown, id, lease)
        save_cooldown(scope_name(c, i, method), cooldown)
      end
    end
    if c.breaker then
      breaker_admits(breaker_name(c.bucket), c.breaker)
    end
  end
  save_pool()
  return p
end

local function reserve()
  if held[number] then
    local before = asked_before(held[number])
    if before then
      return before
    end
  end
  local guard_now = guard()
  local refused, refusals, used, own = {}, {}, {}, caller()
  local own_wait, own_kind
  if own then
    local l = ledger_of(own.domain)
    note(l, own)
    local _
    own_wait, _, own_kind = limit_refusal(l, own, requests, tokens, guard_now)
    local closed_wait, kind = closed_to(own)
    if closed_wait and (not own_wait or closed_wait > own_wait) then
      own_wait, own_kind = closed_wait, kind
    end
  end
  for index = 0, ways - 1 do
    local c = candidate(index)
    local texts = recall({ prefix .. 'd:' .. c.domain, POOL_SCOPE, scopes_of(c, method) })
    local l = ledger_of(c.domain)
    note(l, c)
    if c.concurrency >= 0 then
      let_leave(c.key)
    end
    local wait, sort, what, more = refusal(l, c, requests, tokens, guard_now, texts, 2)
    local closed_wait, kind = closed_to(c)
    if closed_wait and (not wait or closed_wait > wait) then
      wait, sort, what, more = closed_wait, LIMIT, kind, 0
    end
    if own_wait and (not wait or own_wait >= wait) then
      wait, sort, what, more = own_wait, BY_CALLER, own_kind, 0
    end
    if not wait then
      local p = grant(c, l, own, index, guard_now)
      used[index + 1] = used_by(l)
      if own then
        used[index + 2] = used_by(ledger_of(own.domain))
      end
      return answer(index, granted_as(p), refusals, used)
    end
    if sort == LIMIT then
      refused[#refused + 1] = { c, what, wait }
    elseif sort == BY_CALLER and wait ~= NEVER then
      refused[#refused + 1] = { own, what, wait }
    end
    refusals[index + 1] = pack('<dddd', wait, sort, what, more)
    used[index + 1] = used_by(l)
  end
  for i = 1, #refused do
    close(spread(refused[i]))
  end
  if not known[KEYS[1]] then
    save_pool()
  end
  if own then
    used[ways + 1] = used_by(ledger_of(own.domain))
  end
  return answer(ways, NOT_GRANTED, refusals, used)
end
