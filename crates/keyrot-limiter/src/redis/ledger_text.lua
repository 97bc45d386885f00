-- How a domain's ledger, the minute and the day, is kept.
--
-- The key `d:` holds sums, the newest slot, the day's counts and the limits last asked with: all that a
-- grant has to touch. The list `r:` holds the slots before the newest, the oldest first; it is read
-- only when a slot leaves the window or a refusal must say until when.

local ALL = 1000000

-- Whether a ledger is one that these scripts could have written: counts are counts, the newest slot is
-- part of the sums and lies before tomorrow.
local function sound_ledger(text)
  if #text ~= LEDGER_SIZE then
    return false
  end
  local requests, tokens, oldest, newest, newest_requests, newest_tokens, start, ends, yesterday, today,
    tomorrow, rpm, tpm, rpd, burst, since = unpack(LEDGER, text)
  return newest_requests >= 0 and newest_requests <= requests and requests <= MOST
    and newest_tokens >= 0 and newest_tokens <= tokens and tokens <= MOST
    and oldest >= -1 and oldest <= newest and newest * SLOT <= now + DAY
    and start >= -1 and start <= MOST and start <= ends and (ends - start <= 2 * DAY or now == NEVER)
    and yesterday >= 0 and yesterday <= MOST and today >= 0 and today <= MOST and tomorrow >= 0 and tomorrow <= MOST
    and rpm >= -1 and tpm >= -1 and rpd >= -1 and burst >= -1 and since >= 0
end

local function open_ledger(name, text)
  local l = {
    name = prefix .. 'd:' .. name, ring = prefix .. 'r:' .. name,
    requests = 0, tokens = 0,
    oldest = -1, newest = -1, newest_requests = 0, newest_tokens = 0,
    start = -1, ends = -1, yesterday = 0, today = 0, tomorrow = 0,
    rpm = -1, tpm = -1, rpd = -1, burst = -1, since = 0,
    closed = false, drop = 0, dirty = false,
  }
  if text and sound_ledger(text) then
    l.requests, l.tokens, l.oldest, l.newest, l.newest_requests, l.newest_tokens,
    l.start, l.ends, l.yesterday, l.today, l.tomorrow,
    l.rpm, l.tpm, l.rpd, l.burst, l.since = unpack(LEDGER, text)
  elseif text then
    -- Begun anew with the next write, and its slots with it.
    l.drop, l.dirty = ALL, true
  end
  return l
end

local function save_ledger(l)
  if l.drop > 0 then
    typed_call('LTRIM', l.ring, l.drop, -1)
    l.drop = 0
  end
  call('SET', l.name, pack(LEDGER,
    l.requests, l.tokens, l.oldest, l.newest, l.newest_requests, l.newest_tokens,
    l.start, l.ends, l.yesterday, l.today, l.tomorrow,
    l.rpm, l.tpm, l.rpd, l.burst, l.since), 'PX', ledger_life)
  l.dirty = false
end
