-- The breaker of an overloaded model, one key `b` for each: how calls of it ended in each of the last ten
-- seconds and, while it is tripped, how many may be in flight. What it does and why is told in the core's
-- `Breaker`, which decides the same.

local SECONDS, FLOOR, FEW = 10, 16, 4
local MOST_STRIKES, LONGEST_PAUSE, GROWTH, MOST_ALLOWED = 3, 4000, 2000, 65536
local IDLE, LIFT_MEMORY = 60000, 600000
local OVERLOADED, MODEL_SCOPE = 6, 1
local this_second = floor(now / 1000)

local function breaker_name(bucket)
  return prefix .. 'b' .. tag .. ':' .. bucket
end

-- A letter: `t` for tripped, else `c`; calls that may be in flight as of `grown`, strikes, when the pause
-- ends, since when the allowance grows, the newest admission at the last failure; the last lift (-1: none)
-- and when that was; for each second its number, successes, failures, and calls that are out.
local function open_breaker(text)
  local b = {
    tripped = false, allowance = 1, strikes = 0, pause_ends = 0, grown = 0, newest = 0, lift_seq = -1, lift_at = -1,
    slots = {},
  }
  if not text or #text < 57 or (#text - 57) % 32 ~= 0 then
    return b
  end
  local allowance, strikes, pause_ends, grown, newest, lift_seq, lift_at = unpack('<ddddddd', text, 2)
  -- One that is damaged is none.
  if not (allowance >= 1 and allowance <= MOST_ALLOWED and strikes >= 0 and strikes <= MOST_STRIKES
    and pause_ends >= 0 and pause_ends <= MOST and grown >= 0 and grown <= MOST and newest >= 0 and newest <= MOST
    and lift_seq >= -1 and lift_seq <= MOST and lift_at >= -1 and lift_at <= MOST) then
    return b
  end
  if string.sub(text, 1, 1) == 't' and now - pause_ends < IDLE then
    b.tripped, b.allowance, b.strikes, b.pause_ends, b.grown, b.newest = true, allowance, strikes, pause_ends, grown, newest
  end
  if lift_at >= 0 and now < lift_at + LIFT_MEMORY then
    b.lift_seq, b.lift_at = lift_seq, lift_at
  end
  for at = 58, #text, 32 do
    local second, succeeded, failed, out = unpack('<dddd', text, at)
    if second <= this_second and second + SECONDS > this_second and succeeded >= 0 and succeeded <= MOST
      and failed >= 0 and failed <= MOST and out >= 0 and out <= MOST then
      b.slots[second] = { succeeded, failed, out }
    end
  end
  return b
end

local function save_breaker(name, b)
  local last, parts = b.lift_at >= 0 and b.lift_at + LIFT_MEMORY or -1, {}
  if b.tripped then
    last = max(last, b.pause_ends + IDLE)
  end
  for second, slot in pairs(b.slots) do
    parts[#parts + 1] = pack('<dddd', second, slot[1], slot[2], slot[3])
    last = max(last, (second + SECONDS) * 1000)
  end
  local life = min(last - now + slack, LONGEST + slack)
  if last < 0 or life <= 0 then
    call('DEL', name)
    return
  end
  call('SET', name, (b.tripped and 't' or 'c') .. pack('<ddddddd',
    b.allowance, b.strikes, b.pause_ends, b.grown, b.newest, b.lift_seq, b.lift_at) .. table.concat(parts), 'PX', life)
end

local function slot_of(b, second)
  if not b.slots[second] then
    b.slots[second] = { 0, 0, 0 }
  end
  return b.slots[second]
end

local function steps_of(b)
  return min(floor(max(now - b.grown, 0) / GROWTH), 16)
end

local function allowed(b)
  return min(b.allowance * 2 ^ steps_of(b), MOST_ALLOWED)
end

-- When a call may pass, if it may not now; and whether it does so as a probe.
local function breaker_gate(b)
  if not b.tripped then
    return nil, false
  end
  if b.pause_ends > now and b.pause_ends - now <= LONGEST_PAUSE then
    return b.pause_ends, false
  end
  local out, leaves = 0, now + GROWTH
  for second, slot in pairs(b.slots) do
    out = out + slot[3]
    if slot[3] > 0 then
      leaves = min(leaves, (second + SECONDS) * 1000)
    end
  end
  if out < allowed(b) then
    return nil, true
  end
  if allowed(b) < MOST_ALLOWED then
    return min(leaves, b.grown + GROWTH * (steps_of(b) + 1)), false
  end
  return leaves, false
end

-- A call passes, if it does so as a probe.
local function breaker_admits(name, b)
  local _, probe = breaker_gate(b)
  if probe then
    local slot = slot_of(b, this_second)
    slot[3] = slot[3] + 1
    save_breaker(name, b)
  end
end

-- What of the last 1, 2, ... 10 seconds `f` first says that it is so.
local function stretch(b, f)
  local succeeded, failed = 0, 0
  for age = 0, SECONDS - 1 do
    local slot = b.slots[this_second - age]
    if slot then
      succeeded, failed = succeeded + slot[1], failed + slot[2]
    end
    if f(succeeded, failed) then
      break
    end
  end
  return succeeded, failed
end

local function clearly_fails(succeeded, failed)
  local more = max(failed - succeeded, 0)
  return succeeded + failed >= FLOOR and more * more >= 9 * (succeeded + failed)
end

local function recovers(b)
  local succeeded, failed = stretch(b, function(s, f) return s + f >= FLOOR end)
  if succeeded + failed >= FLOOR then
    return failed < succeeded
  end
  return failed == 0 and succeeded >= FEW
end

local function lift_breaker(b)
  b.tripped, b.allowance, b.strikes, b.pause_ends, b.grown, b.newest, b.slots = false, 1, 0, 0, 0, 0, {}
  b.lift_seq, b.lift_at = seq, now
end

local function pause_breaker(b, strikes)
  b.tripped, b.allowance, b.strikes, b.newest = true, 1, strikes, seq
  b.pause_ends = now + 1000 * 2 ^ max(strikes - 1, 0)
  b.grown = b.pause_ends
  for _, slot in pairs(b.slots) do
    slot[3] = 0
  end
end

-- A call found the model without capacity: `samples` are how calls of it ended of late. Gives for how long
-- it is held back; -1 when the report was of a permit from before the last lift.
local function report_overload(bucket, samples, stamp)
  local name = breaker_name(bucket)
  local b = open_breaker(call('MGET', name)[1])
  if stamp >= 0 and b.lift_seq >= 0 and stamp <= b.lift_seq then
    return -1
  end
  for at = 1, #samples, 24 do
    local age, succeeded, failed = unpack('<ddd', samples, at)
    if age < SECONDS then
      local slot = slot_of(b, this_second - age)
      slot[1], slot[2] = slot[1] + succeeded, slot[2] + failed
    end
  end
  if #samples == 0 then
    local slot = slot_of(b, this_second)
    slot[2] = slot[2] + 1
  end
  if not b.tripped then
    if clearly_fails(stretch(b, clearly_fails)) then
      pause_breaker(b, 1)
    end
  elseif stamp < 0 or stamp > b.newest then
    pause_breaker(b, min(b.strikes + 1, MOST_STRIKES))
  end
  save_breaker(name, b)
  return (breaker_gate(b) or now) - now
end

-- The call of a permit has ended by which its model was probed, well or without a verdict.
local function end_call(bucket, p, well)
  local name = breaker_name(bucket)
  local b = open_breaker(call('MGET', name)[1])
  if not b.tripped then
    return
  end
  local counted, admitted = p.seq > b.newest, b.slots[floor(p.admitted / 1000)]
  if counted and admitted then
    admitted[3] = max(admitted[3] - 1, 0)
  end
  if well then
    local slot = slot_of(b, this_second)
    slot[1] = slot[1] + 1
    b.strikes = max(b.strikes - 1, 0)
    if counted then
      local steps = steps_of(b)
      b.allowance = min(allowed(b) * 2, MOST_ALLOWED)
      b.grown = b.grown + GROWTH * steps
    end
    if recovers(b) then
      lift_breaker(b)
      note_lift('m:' .. bucket)
    end
  end
  save_breaker(name, b)
end
