-- How each candidate stands. Writes nothing.

local requests, tokens, method = unpack('<ddd', ARGV[2])
local texts = call('MGET', KEYS[1], POOL_SCOPE)
open_pool(texts[1])
local pool_cooldown, guard_now = texts[2], guard()
local standings = {}
for i = 3, #ARGV do
  local c = open_candidate(ARGV[i])
  texts = call('MGET', prefix .. 'd:' .. c.domain, scopes_of(c, method))
  table.insert(texts, 2, pool_cooldown)
  local l = open_ledger(c.domain, texts[1])
  local wait, sort, what, more = refusal(l, c, requests, tokens, guard_now, texts, 2)
  standings[#standings + 1] = pack('<dddddddd', l.requests, l.tokens, l.today, c.in_flight or 0,
    wait or -1, sort or 0, what or 0, more or 0)
end
return told(table.concat(standings))
