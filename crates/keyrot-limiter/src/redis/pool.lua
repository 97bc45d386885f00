-- What belongs to the whole pool: the count of admissions and lifts, the guard, and its cooldown's key.

local POOL_SCOPE = prefix .. 'c:pool'

local NARROWEST, WIDEST = 250, 2000

-- The name of this memory, the count, the guard's width when it last changed, and when that was.
local epoch, seq, width, changed

local function open_pool(text)
  if text and #text == 32 then
    epoch, seq, width, changed = unpack('<dddd', text)
  end
  -- One that is damaged is one that was lost: an endless guard would keep every key out.
  if not (epoch and epoch >= 0 and epoch <= MOST and seq >= 0 and seq <= MOST
    and width >= NARROWEST and width <= WIDEST and changed >= -1 and changed <= MOST) then
    -- Time grows faster than the count: what was stamped before the memory was lost is older than
    -- anything counted since.
    epoch, seq, width, changed = fresh, now * 1024, NARROWEST, -1
  end
end

local function save_pool()
  call('SET', KEYS[1], pack('<dddd', epoch, seq, width, changed), 'PX', longest_life)
end

-- How much longer than a minute the window is.
local function guard()
  if changed < 0 then
    return width
  end
  local hours = floor(max(now - changed, 0) / HOUR)
  return max(width / 2 ^ min(hours, 16), NARROWEST)
end

-- Google refused by the minute what the ledger had room for: one storm of it widens once.
local function widen()
  if changed < 0 or now - changed >= 60000 then
    width, changed = min(guard() * 2, WIDEST), now
  end
end
