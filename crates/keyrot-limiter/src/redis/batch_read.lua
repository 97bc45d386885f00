-- What a batch is about, read in one go. What several of its questions change is kept in tables
-- while they are answered, and written once at the end.
--
-- ARGV[2] holds the places that are surely looked at, ARGV[3] those that may be, ARGV[4] the names of
-- permits, and ARGV[5] what is asked and told, in order. Each refers to the others by number.
local LATER = 32768

-- What was read, by number and under which key; ledgers by domain.
local names, texts, ledgers = { KEYS[1], POOL_SCOPE, prefix .. 'l' .. tag }, nil, {}
local places = {}
-- Permits by number: their names, their keys, what these hold (false for nothing), whether they were
-- settled and whether they ended here.
local ids, permits, held, settled, gone = {}, {}, {}, {}, {}
-- Who left which key's places in flight.
local leavers = {}
-- What closed to the later questions of a class; whether nothing of the pool's cools and no cooldown
-- was changed here; whether the pool must be written.
local shut, calm, pool_changed = nil, true, false

-- The place that stands in `text` from `at`, and where the next one stands.
local function open_place(text, at)
  local method, domain, bucket, project, key, fingerprint, next_at = unpack(PLACE, text, at)
  return {
    method = method, domain = domain, bucket = bucket, project = project, key = key, fingerprint = fingerprint,
    ledger = false, clear = false,
  }, next_at
end

do
  local n, at = 3, 1
  while at <= #ARGV[2] do
    local p
    p, at = open_place(ARGV[2], at)
    places[#places + 1] = p
    local identity = scopes .. 'k:' .. p.key .. ':' .. p.fingerprint
    names[n + 1], names[n + 2], names[n + 3], names[n + 4], names[n + 5], names[n + 6], names[n + 7] =
      prefix .. 'd:' .. p.domain, scopes .. 'm:' .. p.bucket, scopes .. 'p:' .. p.project,
      scopes .. 'd:' .. p.domain, identity, identity .. ':' .. p.method .. ':' .. p.bucket,
      prefix .. 'b' .. tag .. ':' .. p.bucket
    n = n + 7
  end
  local text, before, of_permit = ARGV[4], n, prefix .. 'i:'
  local count = #text / 32
  for i = 1, count do
    local id = string.sub(text, 32 * i - 31, 32 * i)
    local name = of_permit .. id
    ids[i], permits[i], names[before + i] = id, name, name
  end
  texts = call('MGET', spread(names))
  for i = 1, count do
    held[i] = texts[before + i]
  end
  for i = 1, #places do
    local p, first = places[i], 7 * i - 3
    local l = ledgers[p.domain]
    if not l then
      l = open_ledger(p.domain, texts[first])
      ledgers[p.domain] = l
    end
    p.ledger = l
    -- A breaker that is not tripped holds nobody back.
    local breaker = texts[first + 6]
    p.clear = not (texts[first + 1] or texts[first + 2] or texts[first + 3] or texts[first + 4] or texts[first + 5])
      and not (breaker and string.byte(breaker) ~= NOT_TRIPPED)
  end
  open_pool(texts[1])
  calm = not texts[2]
end
