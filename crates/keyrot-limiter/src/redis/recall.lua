-- The question or end that is looked at: its permit and that one's key, and the rest of what was sent.
local number, id, permit, requests, tokens, lease, asking, class, ways, ways_at, caller_at, method
local WAY = '<Hddddd'

-- What stands under `names`, read unless it is known.
local function recall(names)
  local missing, texts = {}, {}
  for i = 1, #names do
    if known[names[i]] == nil then
      missing[#missing + 1] = names[i]
    end
  end
  if #missing > 0 then
    local read = call('MGET', spread(missing))
    for i = 1, #missing do
      known[missing[i]] = read[i]
    end
  end
  for i = 1, #names do
    texts[i] = known[names[i]]
  end
  return texts
end

local function ledger_of(domain)
  local l = ledgers[domain]
  if not l then
    l = open_ledger(domain, recall({ prefix .. 'd:' .. domain })[1])
    ledgers[domain] = l
  end
  return l
end

local later
local function place(number)
  if number < LATER then
    return places[number + 1]
  end
  if not later then
    local at = 1
    later = {}
    while at <= #ARGV[3] do
      later[#later + 1], at = open_place(ARGV[3], at)
    end
  end
  return later[number - LATER + 1]
end

-- The candidate of the question by its number, from 0.
local function candidate(index)
  local at_place, rpm, tpm, rpd, burst, concurrency = unpack(WAY, ops, ways_at + WAY_LENGTH * index)
  local p = place(at_place)
  method = p.method
  return {
    rpm = rpm, tpm = tpm, rpd = rpd, burst = burst, concurrency = concurrency,
    domain = p.domain, bucket = p.bucket, project = p.project, key = p.key, fingerprint = p.fingerprint,
    cooldowns = false, breaker = false, probe = false, in_flight = false,
  }
end

-- Whose own ledger is charged as well, if anybody's: its limits, its ledger, and the number of its permit.
local function caller()
  if not caller_at then
    return nil
  end
  local this, at_place, rpm, tpm, rpd, burst = unpack(CALLER, ops, caller_at)
  return {
    number = this + 1, domain = place(at_place).domain, rpm = rpm, tpm = tpm, rpd = rpd, burst = burst,
    concurrency = -1,
  }
end

-- The permit of that number as it is by now.
local function permit_now(this)
  local p = open_permit(held[this])
  if p and settled[this] then
    p.settled = 1
  end
  return p
end

-- Writes it, or what stands in its place.
local function remember(this, text, ...)
  held[this], settled[this], gone[this] = text, nil, nil
  call('SET', permits[this], text, ...)
end

-- Takes who left out of a key's places in flight before these are counted.
local function let_leave(key)
  if leavers[key] then
    typed_call('ZREM', prefix .. 'f:' .. key, spread(leavers[key]))
    leavers[key] = nil
  end
end
