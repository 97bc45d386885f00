-- Condemns a scope; when half of all projects are throttled together it is this machine, and the pool
-- pauses.

local STORM = 10000
local DOUBT = 600000
local AFTER, MIDNIGHT, UNTIL_LIFTED = 0, 1, 2

-- How long and of which sort; why, and what follows from the why: whether a probe is the way back, the
-- first and the longest of escalating cooldowns; the attempt reported on (-1: none); projects in the
-- pool; whether it may contradict the ledger; the scope; the domain and project of a domain's scope.
local sort, wait, reason, half, escalation, longest, stamp, admitted, projects, contradicts, scope, domain,
  project = unpack('<ddddddddddI4c0I4c0I4c0', ARGV[2])
-- Of a model that is overloaded: how calls of it ended of late.
if ARGV[3] then
  open_pool(call('GET', KEYS[1]))
  return told(pack('<dd', 0, report_overload(string.sub(scope, 3), ARGV[3], stamp)))
end

local name = scope == 'pool' and POOL_SCOPE or scopes .. scope

-- Until when a per-day refusal holds, and whether that is doubtful.
local function day_end(at)
  local start = pacific(now)
  if now - start < DOUBT then
    return now + DOUBT, true
  end
  local _, ends = pacific(at)
  return max(ends, now + 1000), false
end

-- Until when the scope is now shut; nil when the report was of a permit from before the last lift.
local function cool(c)
  if stamp >= 0 and c.lift_seq >= 0 and stamp <= c.lift_seq then
    return nil
  end
  forget(c)
  local storm = c.ends >= 0 and stamp >= 0 and stamp <= c.newest
  local ends, half_open = nil, half
  if sort == AFTER then
    ends = now + wait
  elseif sort == UNTIL_LIFTED then
    ends = NEVER
  elseif sort == MIDNIGHT then
    local doubtful
    ends, doubtful = day_end(stamp >= 0 and admitted or now)
    if doubtful then
      half_open = 1
    end
  else
    if not storm or c.strikes == 0 then
      c.strikes = c.strikes + 1
    end
    local doublings = min(max(c.strikes - 1, 0), 16)
    ends = now + max(min(escalation * 2 ^ doublings, longest), wait)
  end
  if not (c.ends >= 0 and ends_at(c) > ends) then
    c.length = sort == MIDNIGHT and min(ends - now, 25 * HOUR) or max(ends - now, 0)
    c.ends, c.reason, c.half = ends, reason, half_open
  end
  if not storm then
    c.probe, c.newest = '', seq
  end
  return opens(c)
end

local texts = call('MGET', KEYS[1], name, POOL_SCOPE, prefix .. 'd:' .. domain)
local c, pool = open_cooldown(texts[2]), open_cooldown(texts[3])
open_pool(texts[1])
local contradiction = false
if contradicts == 1 and texts[4] then
  local l = open_ledger(domain, texts[4])
  contradiction = (l.rpm >= 0 or l.tpm >= 0) and admitted >= l.since
end

local function pause()
  local ends = cool(pool)
  save_cooldown(POOL_SCOPE, pool)
  return ends
end

-- Whether so many projects are throttled together. A member is a project and a domain.
local function stormy()
  local storm = prefix .. 'storm' .. tag
  typed_call('ZREMRANGEBYSCORE', storm, '-inf', now - STORM)
  call('ZADD', storm, now, pack('<I4c0I4c0', #project, project, #domain, domain))
  call('PEXPIRE', storm, STORM + slack)
  local needed, seen, together = max(math.ceil(projects / 2), 2), {}, 0
  local all = call('ZRANGE', storm, 0, -1)
  for i = 1, #all do
    local whose = unpack('<I4c0', all[i])
    if not seen[whose] then
      seen[whose], together = true, together + 1
    end
  end
  if together < needed then
    return false
  end
  call('DEL', storm)
  for i = 1, #all do
    local _, other = unpack('<I4c0I4c0', all[i])
    local its = scopes .. 'd:' .. other
    local text = call('GET', its)
    if text then
      local acquitted = open_cooldown(text)
      acquitted.strikes = 0
      if acquitted.reason == THROTTLED then
        acquitted.ends, acquitted.probe = -1, ''
      end
      save_cooldown(its, acquitted)
      note_lift('d:' .. other)
    end
  end
  return true
end

local throttled = reason == THROTTLED and domain ~= ''
local of_pool, ends = 0, nil
-- Until the pool's probe has come back, a throttled attempt is a late part of the same storm, or the
-- probe's own failure: neither is the project's fault.
if throttled and gate(pool) ~= OPEN and pool.reason == THROTTLED then
  of_pool, ends = 1, pause()
else
  if scope == 'pool' then
    c = pool
  end
  ends = cool(c)
  save_cooldown(name, c)
  if throttled and ends and stormy() then
    of_pool, ends = 1, pause()
  end
end
if contradiction and ends then
  widen()
end
save_pool()
return told(pack('<dd', of_pool, ends and max(ends - now, 0) or -1))
