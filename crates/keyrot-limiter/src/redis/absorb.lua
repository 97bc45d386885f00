-- Adds what was used behind the store's back, once under each name.

local ADD, AT_LEAST = 0, 1
-- Two days, and as long as the name may matter by any clock.
local REMEMBERED = 50 * HOUR

if not call('SET', prefix .. 'once:' .. ARGV[2], '', 'NX', 'PX', REMEMBERED + slack) then
  return ''
end
local text = call('GET', KEYS[1])
open_pool(text)
if not text then
  save_pool()
end
local guard_now = guard()

-- Adds slots in one go: the list is written anew.
local function charge_slots(l, charges, count)
  local slots = {}
  local function add(no, requests, tokens)
    local slot = slots[no] or { 0, 0 }
    slots[no] = { slot[1] + requests, slot[2] + tokens }
  end
  local all = closed(l)
  for i = 1, #all do
    add(unpack('<ddd', all[i]))
  end
  if l.newest >= 0 then
    add(l.newest, l.newest_requests, l.newest_tokens)
  end
  local latest = max(floor(now / SLOT), l.newest)
  for i = 0, count - 1 do
    local at, requests, tokens = unpack('<ddd', charges, 24 * i + 1)
    local no = min(floor(at / SLOT), latest)
    if (no + 1) * SLOT + WINDOW + guard_now > now then
      add(no, requests, tokens)
    end
  end
  local numbers = {}
  for no in pairs(slots) do
    numbers[#numbers + 1] = no
  end
  if #numbers == 0 then
    return
  end
  table.sort(numbers)
  call('DEL', l.ring)
  l.drop, l.closed, l.requests, l.tokens = 0, false, 0, 0
  for i, no in ipairs(numbers) do
    local requests, tokens = slots[no][1], slots[no][2]
    l.requests, l.tokens = l.requests + requests, l.tokens + tokens
    if i < #numbers then
      call('RPUSH', l.ring, pack('<ddd', no, requests, tokens))
    else
      l.newest, l.newest_requests, l.newest_tokens = no, requests, tokens
    end
  end
  call('PEXPIRE', l.ring, RING_LIFE + slack)
  l.oldest = numbers[1]
end

local function count_day(count, sort, requests)
  return sort == AT_LEAST and max(count, requests) or count + requests
end

for i = 3, #ARGV do
  local domain, windows, days, at = unpack('<I4c0dd', ARGV[i])
  local l = open_ledger(domain, call('GET', prefix .. 'd:' .. domain))
  prune(l, WINDOW + guard_now)
  roll(l)
  charge_slots(l, string.sub(ARGV[i], at, at + 24 * windows - 1), windows)
  for day = 0, days - 1 do
    local start, ends, sort, requests = unpack('<dddd', ARGV[i], at + 24 * windows + 32 * day)
    if start == l.start then
      l.today = count_day(l.today, sort, requests)
    elseif start == l.ends then
      l.tomorrow = count_day(l.tomorrow, sort, requests)
    elseif ends == l.start then
      l.yesterday = count_day(l.yesterday, sort, requests)
    end
  end
  save_ledger(l)
end
return ''
