-- Cooldowns: what is out, until when, why, and who may probe it. One key for each scope.

local MEMORY = DAY
local THROTTLED = 3

-- Until when (-1: not at all), why, whether the way back is a probe, whose (empty: nobody's) and until
-- when, the newest admission when this storm began, strikes in a row; the last lift (-1: none) and
-- when that was.
local function open_cooldown(text)
  local c = {
    ends = -1, reason = 0, half = 0, deadline = 0, newest = 0, strikes = 0, lift_seq = -1, lift_at = -1,
    probe = '',
  }
  if text and #text >= 64 then
    local ends, reason, half, deadline, newest, strikes, lift_seq, lift_at = unpack('<dddddddd', text)
    -- One that is damaged is none.
    if (ends >= -1 and ends <= MOST or ends == NEVER) and reason >= 0 and reason <= 255 and half >= 0 and half <= 1
      and deadline >= 0 and newest >= -1 and newest <= MOST and strikes >= 0 and strikes <= MOST
      and lift_seq >= -1 and lift_seq <= MOST and lift_at >= -1 and lift_at <= MOST then
      c.ends, c.reason, c.half, c.deadline, c.newest, c.strikes, c.lift_seq, c.lift_at =
        ends, reason, half, deadline, newest, strikes, lift_seq, lift_at
      c.probe = string.sub(text, 65)
    end
  end
  return c
end

-- When the scope opens, if only to a probe: not while one is out.
local function opens(c)
  if c.half == 1 and c.probe ~= '' then
    return max(c.ends, c.deadline)
  end
  return c.ends
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
  call('SET', name, pack('<dddddddd',
    c.ends, c.reason, c.half, c.deadline, c.newest, c.strikes, c.lift_seq, c.lift_at) .. c.probe, 'PX', life)
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

local function lift(c)
  c.ends, c.probe, c.strikes, c.lift_seq, c.lift_at = -1, '', 0, seq, now
end
