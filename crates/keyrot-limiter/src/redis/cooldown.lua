-- Cooldowns: what is out, until when, why, and who may probe it. One key for each scope.

local MEMORY = DAY
local THROTTLED = 3
-- How long a probe's place is kept for it.
local PROBE_TIME = 10000

-- Until when (-1: not at all), why, whether the way back is a probe, whose (empty: nobody's) and until
-- when, the newest admission when this storm began, strikes in a row; the last lift (-1: none) and
-- when that was; how long it was decided to last (-1: not known, it is an older build's).
--
-- The length stands last, behind the probe: an older build takes both for a probe whose deadline has
-- passed, or for one that is not its own.
local function open_cooldown(text)
  local c = {
    ends = -1, reason = 0, half = 0, deadline = 0, newest = 0, strikes = 0, lift_seq = -1, lift_at = -1,
    probe = '', length = -1,
  }
  if text and #text >= 64 then
    local ends, reason, half, deadline, newest, strikes, lift_seq, lift_at = unpack('<dddddddd', text)
    -- One that is damaged is none.
    if (ends >= -1 and ends <= MOST or ends == NEVER) and reason >= 0 and reason <= 255 and half >= 0 and half <= 1
      and deadline >= 0 and newest >= -1 and newest <= MOST and strikes >= 0 and strikes <= MOST
      and lift_seq >= -1 and lift_seq <= MOST and lift_at >= -1 and lift_at <= MOST then
      c.ends, c.reason, c.half, c.deadline, c.newest, c.strikes, c.lift_seq, c.lift_at =
        ends, reason, half, deadline, newest, strikes, lift_seq, lift_at
      if #text == 72 or #text == 104 then
        local length = unpack('<d', text, #text - 7)
        c.probe, c.length = string.sub(text, 65, -9), length >= 0 and length or -1
      else
        c.probe = string.sub(text, 65)
      end
    end
  end
  return c
end

-- When it ends. A clock that was put back does not make it longer: what would last longer than was
-- decided is over.
local function ends_at(c)
  local length = c.length >= 0 and c.length or LONGEST_FOR[c.reason] or NEVER
  if c.ends == NEVER or c.ends - now <= length then
    return c.ends
  end
  return now
end

-- When the scope opens, if only to a probe: not while one is out.
local function opens(c)
  local ends = ends_at(c)
  if c.half == 1 and c.probe ~= '' and c.deadline - now <= PROBE_TIME then
    return max(ends, c.deadline)
  end
  return ends
end

local function save_cooldown(name, c)
  local last = c.lift_at
  if c.ends >= 0 then
    last = max(last, opens(c))
  end
  local life = min(last + MEMORY - now + slack, LONGEST + slack)
  if last < 0 or life <= 0 then
    call('DEL', name)
    return
  end
  local deadline = c.probe ~= '' and c.deadline or 0
  call('SET', name, pack('<dddddddd', c.ends, c.reason, c.half, deadline, c.newest, c.strikes, c.lift_seq, c.lift_at)
    .. c.probe .. (c.length >= 0 and pack('<d', c.length) or ''), 'PX', life)
end

local OPEN, PROBE, SHUT = 0, 1, 2

local function gate(c)
  if c.ends < 0 then
    return OPEN
  end
  if now < opens(c) then
    return SHUT
  end
  if c.half == 1 and now < c.ends + MEMORY then
    return PROBE
  end
  return OPEN
end

local function forget(c)
  if c.ends >= 0 and now >= c.ends + MEMORY and gate(c) == OPEN then
    c.ends, c.probe, c.strikes = -1, '', 0
  end
  if c.lift_at >= 0 and now >= c.lift_at + MEMORY then
    c.lift_seq, c.lift_at = -1, -1
  end
end

-- Gives the probe's place to the permit `id`, for as long as its lease lasts and not for long.
local function take_probe(c, id, lease)
  c.probe, c.deadline = id, now + min(lease, PROBE_TIME)
end

-- Whether the success of a permit admitted as the `stamp`th lifts it: of a probe, however late. What passed
-- since the last failure passed as a probe.
local function lifted_by(c, id, stamp)
  return c.ends >= 0 and (c.probe == id or c.half == 1 and stamp > c.newest and gate(c) ~= OPEN)
end

local function lift(c)
  c.ends, c.probe, c.strikes, c.lift_seq, c.lift_at = -1, '', 0, seq, now
end
