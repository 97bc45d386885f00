-- What a domain's ledger says and how it changes: the minute. `ledger_text.lua` reads and writes it.

local SECOND, RING_LIFE = 1000, 65000
local FEW = 4
local RPM, TPM, RPD, BURST = 0, 1, 2, 3

-- What a slot holds; nil where it is damaged.
local function open_slot(text)
  if #text ~= 24 then
    return nil
  end
  local no, requests, tokens = unpack('<ddd', text)
  if no >= 0 and no <= MOST and requests >= 0 and requests <= MOST and tokens >= 0 and tokens <= MOST then
    return no, requests, tokens
  end
end

-- Forgets the slots before the newest.
local function forget_closed(l)
  l.drop, l.closed, l.dirty = ALL, {}, true
  l.oldest, l.requests, l.tokens = l.newest, l.newest_requests, l.newest_tokens
end

-- The slots before the newest.
local function closed(l)
  if not l.closed then
    l.closed = typed_call('LRANGE', l.ring, l.drop, -1)
    for i = 1, #l.closed do
      if not open_slot(l.closed[i]) then
        forget_closed(l)
      end
    end
  end
  return l.closed
end

-- Forgets the slots that lie wholly outside the window: seldom more than one, so few are read.
local function prune(l, window)
  local latest = now - window
  if l.oldest < 0 or (l.oldest + 1) * SLOT > latest then
    return
  end
  l.closed, l.dirty = false, true
  if (l.newest + 1) * SLOT <= latest then
    l.drop, l.oldest, l.newest = ALL, -1, -1
    l.requests, l.tokens, l.newest_requests, l.newest_tokens = 0, 0, 0, 0
    return
  end
  repeat
    local some = typed_call('LRANGE', l.ring, l.drop, l.drop + FEW - 1)
    for i = 1, #some do
      local no, requests, tokens = open_slot(some[i])
      if not no then
        return forget_closed(l)
      end
      if (no + 1) * SLOT > latest then
        l.oldest = no
        return
      end
      l.drop, l.requests, l.tokens = l.drop + 1, l.requests - requests, l.tokens - tokens
    end
  until #some < FEW
  l.oldest, l.requests, l.tokens = l.newest, l.newest_requests, l.newest_tokens
end

-- When `excess` (of the requests, or of the tokens) has left a window of length `span`.
local function frees(l, excess, span, of_requests)
  local freed, all = 0, closed(l)
  for i = 1, #all + 1 do
    local no, r, t
    if i <= #all then
      no, r, t = unpack('<ddd', all[i])
    else
      no, r, t = l.newest, l.newest_requests, l.newest_tokens
    end
    local leaves = (no + 1) * SLOT + span
    if leaves > now then
      freed = freed + (of_requests and r or t)
      if freed >= excess then
        return leaves
      end
    end
  end
  return NEVER
end

local function last_second(l)
  if l.newest < 0 or (l.newest + 1) * SLOT + SECOND <= now then
    return 0
  end
  local sum, all = l.newest_requests, closed(l)
  for i = #all, 1, -1 do
    local no, r = unpack('<dd', all[i])
    if (no + 1) * SLOT + SECOND <= now then
      break
    end
    sum = sum + r
  end
  return sum
end

-- Of a limit that `ask` overruns and of what was found before, the one that lasts longer.
local function longer(kind, at, l, this, limit, sum, ask, span)
  if limit < 0 or sum + ask <= limit then
    return kind, at
  end
  local frees_at = NEVER
  if ask <= limit then
    frees_at = frees(l, sum - (limit - ask), span, this ~= TPM)
  end
  if not kind or (at < NEVER and frees_at > at) then
    return this, frees_at
  end
  return kind, at
end

-- The limit per minute or second that a cost would overrun, and when it fits.
local function full(l, limits, requests, tokens, window)
  local kind, at = longer(nil, nil, l, RPM, limits.rpm, l.requests, requests, window)
  kind, at = longer(kind, at, l, TPM, limits.tpm, l.tokens, tokens, window)
  if limits.burst >= 0 and limits.burst < l.requests + requests then
    kind, at = longer(kind, at, l, BURST, limits.burst, last_second(l), requests, SECOND)
  end
  return kind, at
end

-- Adds a charge to the slot of now, and gives the number of that slot. If time ran backwards, the
-- newest takes it.
local function charge_slot(l, requests, tokens)
  local no = floor(now / SLOT)
  if l.newest >= no then
    no = l.newest
    l.newest_requests, l.newest_tokens = l.newest_requests + requests, l.newest_tokens + tokens
  else
    if l.newest >= 0 then
      if l.drop > 0 then
        typed_call('LTRIM', l.ring, l.drop, -1)
        l.drop = 0
      end
      typed_call('RPUSH', l.ring, pack('<ddd', l.newest, l.newest_requests, l.newest_tokens))
      call('PEXPIRE', l.ring, RING_LIFE + slack)
      l.closed = false
    end
    l.newest, l.newest_requests, l.newest_tokens = no, requests, tokens
    if l.oldest < 0 then
      l.oldest = no
    end
  end
  l.requests, l.tokens = l.requests + requests, l.tokens + tokens
  return no
end

-- Changes what a slot was charged; nothing when the slot has left: a refund never credits a later
-- window.
local function amend_slot(l, slot, requests, tokens)
  if slot == l.newest then
    -- A memory that was lost meanwhile may know less of the slot than is given back.
    requests, tokens = max(requests, -l.newest_requests), max(tokens, -l.newest_tokens)
    l.newest_requests, l.newest_tokens = l.newest_requests + requests, l.newest_tokens + tokens
  else
    -- Not more than this many from the end, and just as many where every slot was used.
    local back = l.newest - slot
    if l.oldest < 0 or slot < l.oldest or back <= 0 then
      return
    end
    local at, found = -back, typed_call('LINDEX', l.ring, -back)
    if not found or open_slot(found) ~= slot then
      local all = typed_call('LRANGE', l.ring, -back, -1)
      found = nil
      for i = 1, #all do
        if open_slot(all[i]) == slot then
          at, found = i - #all - 1, all[i]
          break
        end
      end
      if not found then
        return
      end
    end
    local _, r, t = unpack('<ddd', found)
    requests, tokens = max(requests, -r), max(tokens, -t)
    call('LSET', l.ring, at, pack('<ddd', slot, r + requests, t + tokens))
    l.closed = false
  end
  l.requests, l.tokens = l.requests + requests, l.tokens + tokens
  l.dirty = true
end

-- Takes note of the limits asked with, and since when they are in force.
local function note(l, limits)
  if l.rpm ~= limits.rpm or l.tpm ~= limits.tpm or l.rpd ~= limits.rpd or l.burst ~= limits.burst then
    l.rpm, l.tpm, l.rpd, l.burst, l.since = limits.rpm, limits.tpm, limits.rpd, limits.burst, now
    l.dirty = true
  end
end
