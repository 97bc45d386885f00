-- The Pacific day: how many requests it has seen, with midnight counted on both sides.
--
-- ZONE, set before this by the caller, is a text of instants of 13 digits each: the first midnight of
-- every stretch of time in which midnights are 24 hours apart.

local function stretch(i)
  return tonumber(string.sub(ZONE, 13 * i - 12, 13 * i))
end

-- The first instant of the day `at` falls in, and the first after it.
local function pacific(at)
  if at == NEVER then
    return 0, NEVER
  end
  local low, high = 1, #ZONE / 13
  while low < high do
    local middle = floor((low + high + 1) / 2)
    if stretch(middle) <= at then
      low = middle
    else
      high = middle - 1
    end
  end
  local first = stretch(low)
  local days = floor((at - first) / DAY)
  if low < #ZONE / 13 then
    local next = stretch(low + 1)
    -- The last day of a stretch is an hour longer or shorter.
    local last = floor((next - first) / DAY + 0.5) - 1
    if days >= last then
      return first + last * DAY, next
    end
  end
  return first + days * DAY, first + (days + 1) * DAY
end

-- Moves on to the day of now. Time never moves it back, unless by so much that the calendar must have
-- been wrong: then what was counted was counted today.
local function roll(l)
  while l.start < 0 or now >= l.ends or now + DAY < l.start do
    if l.start >= 0 and now + DAY < l.start then
      l.start, l.ends = pacific(now)
      l.yesterday, l.tomorrow = 0, 0
    elseif l.start >= 0 and l.yesterday + l.today + l.tomorrow > 0 then
      l.yesterday, l.today, l.tomorrow = l.today, l.tomorrow, 0
      l.start, l.ends = pacific(l.ends)
    else
      l.start, l.ends = pacific(now)
    end
    l.dirty = true
  end
end

-- When `requests` more fit under `limit`; nil when they do now.
local function day_full(l, limit, requests, guard_now)
  if requests > limit then
    return NEVER
  end
  local near_start, near_end = now < l.start + guard_now, now >= l.ends - guard_now
  if l.today + requests <= limit and (not near_end or l.tomorrow + requests <= limit) then
    if near_start and l.yesterday + requests > limit then
      return l.start + guard_now
    end
    return nil
  end
  -- The first instant at which the days that are full no longer matter.
  if l.tomorrow + requests <= limit then
    return l.ends + guard_now
  end
  local _, ends = pacific(l.ends)
  return ends + guard_now
end

-- Counts requests, and gives whether they count in yesterday and in tomorrow too.
local function charge_day(l, requests, guard_now)
  local in_yesterday, in_tomorrow = 0, 0
  l.today = l.today + requests
  if now < l.start + guard_now then
    in_yesterday = 1
    l.yesterday = l.yesterday + requests
  end
  if now >= l.ends - guard_now then
    in_tomorrow = 1
    l.tomorrow = l.tomorrow + requests
  end
  return in_yesterday, in_tomorrow
end

-- Gives back what was counted in the day from `start` to `ends`.
local function refund_day(l, start, ends, in_yesterday, in_tomorrow, requests)
  if l.start >= 0 and l.start == start then
    l.yesterday = max(l.yesterday - in_yesterday * requests, 0)
    l.today = max(l.today - requests, 0)
    l.tomorrow = max(l.tomorrow - in_tomorrow * requests, 0)
  elseif l.start >= 0 and l.start == ends then
    l.yesterday = max(l.yesterday - requests, 0)
    l.today = max(l.today - in_tomorrow * requests, 0)
  end
  l.dirty = true
end
