-- One way a request could go: its limits, its names, and what stands in its way.

local CONCURRENCY = 4
local LIMIT, TOO_LARGE, COOLING, BY_CALLER = 0, 1, 2, 3
-- The scopes in the order in which they are asked.
local SCOPES = 6

-- The candidate that stands in `text` from `at`, and where the next one stands.
local function open_candidate(text, at)
  local rpm, tpm, rpd, burst, concurrency, domain, bucket, project, key, fingerprint, next_at =
    unpack(CANDIDATE, text, at or 1)
  return {
    rpm = rpm, tpm = tpm, rpd = rpd, burst = burst, concurrency = concurrency,
    domain = domain, bucket = bucket, project = project, key = key, fingerprint = fingerprint,
    cooldowns = false, breaker = false, probe = false, in_flight = false,
  }, next_at
end

-- The keys of its cooldowns but the pool's: model, project, domain, key, key for the method on the model; and
-- that of the model's breaker.
local function scopes_of(c, method)
  local key = scopes .. 'k:' .. c.key .. ':' .. c.fingerprint
  return scopes .. 'm:' .. c.bucket, scopes .. 'p:' .. c.project, scopes .. 'd:' .. c.domain,
    key, key .. ':' .. method .. ':' .. c.bucket, breaker_name(c.bucket)
end

-- The key of the scope `i` of a candidate.
local function scope_name(c, i, method)
  return (select(i, POOL_SCOPE, scopes_of(c, method)))
end

-- The same as others are told of it: without what all names begin with.
local function told_name(c, i, method)
  return i == 1 and 'pool' or string.sub(scope_name(c, i, method), #scopes + 1)
end

-- Frees the place of the probe that a permit was, wherever it was one.
local function free_probes(c, id, method)
  local names = { POOL_SCOPE, scopes_of(c, method) }
  local texts = call('MGET', names[1], names[2], names[3], names[4], names[5], names[6])
  for i = 1, SCOPES do
    local cooldown = texts[i] and open_cooldown(texts[i])
    if cooldown and cooldown.ends >= 0 and cooldown.probe == id then
      cooldown.probe = ''
      save_cooldown(names[i], cooldown)
    end
  end
end
