-- Reserves the first of the candidates that may go, or says of each why not and for how long.

-- The answer: now, epoch, seq; how many were refused; whether one was granted and what; what each of
-- the refused was told; what each of all these has used.
local function answer(refused, granted, refusals, used)
  return told(pack('<dddd', now, epoch, seq, refused) .. granted .. table.concat(refusals) .. table.concat(used))
end

local function used_by(l)
  return pack('<ddd', l.requests, l.tokens, l.today)
end

local function granted_as(p)
  return pack('<ddddd', 1, p.index, p.seq, p.admitted, p.probe)
end

local NOT_GRANTED = pack('<d', 0)

-- What was asked is asked again, or has been given up.
local function asked_before(text)
  local p = open_permit(text)
  if not p then
    -- A tombstone: of this asking, or of another that says nothing of this one.
    return #text >= 8 and unpack('<d', text) == asking and answer(0, NOT_GRANTED, {}, {})
  end
  if p.asking ~= asking then
    p.asking = asking
    call('SET', permit, pack_permit(p), 'KEEPTTL')
  end
  local c = candidate(p.index)
  local l = open_ledger(c.domain, call('GET', prefix .. 'd:' .. c.domain))
  prune(l, WINDOW + guard())
  roll(l)
  return answer(0, granted_as(p), {}, { used_by(l) })
end

local function enter(c)
  local places, ends = prefix .. 'f:' .. c.key, now + lease
  typed_call('ZREMRANGEBYSCORE', places, '-inf', now)
  call('ZADD', places, ends, id)
  local life = min(lease, LONGEST) + slack
  if call('PTTL', places) < life then
    call('PEXPIRE', places, life)
  end
end

local function grant(c, l, index, guard_now)
  seq = seq + 1
  local p = {
    asking = asking, index = index, seq = seq, admitted = now, probe = c.probe and 1 or 0,
    charged = 0, slot = -1, requests = requests, tokens = tokens, settled = 0,
    start = l.start, ends = l.ends, in_yesterday = 0, in_tomorrow = 0,
  }
  if c.concurrency >= 0 then
    enter(c)
  end
  if requests > 0 or tokens > 0 then
    p.charged = 1
    p.slot = charge_slot(l, requests, min(tokens, MOST_TOKENS))
    p.in_yesterday, p.in_tomorrow = charge_day(l, requests, guard_now)
    l.dirty = true
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
  if l.dirty then
    save_ledger(l)
  end
  call('SET', permit, pack_permit(p), 'PX', min(max(PERMIT_LIFE, lease), LONGEST) + slack)
  save_pool()
  return p
end

open_pool(texts[1])
if texts[2] then
  local before = asked_before(texts[2])
  if before then
    return before
  end
end

local guard_now, pool_cooldown, is_new = guard(), texts[4], not texts[1]
local refusals, used, index = {}, {}, 0
-- What was read is the pool's, the permit's, and then the first candidate's.
local c, next_at, read = open_candidate(ARGV[3]), 1, 3
while true do
  local l = open_ledger(c.domain, texts[read])
  note(l, c)
  local wait, sort, what, more = refusal(l, c, requests, tokens, guard_now, texts, read + 1)
  if not wait then
    local p = grant(c, l, index, guard_now)
    used[index + 1] = used_by(l)
    return answer(index, granted_as(p), refusals, used)
  end
  index = index + 1
  refusals[index] = pack('<dddd', wait, sort, what, more)
  used[index] = used_by(l)
  if l.dirty then
    save_ledger(l)
  end
  if next_at > #ARGV[4] then
    break
  end
  c, next_at = open_candidate(ARGV[4], next_at)
  read, texts = 1, call('MGET', prefix .. 'd:' .. c.domain, scopes_of(c, method))
  table.insert(texts, 2, pool_cooldown)
end
if is_new then
  save_pool()
end
return answer(index, NOT_GRANTED, refusals, used)
