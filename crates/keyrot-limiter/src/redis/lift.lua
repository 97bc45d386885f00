-- Lifts a scope's cooldown: reports of permits granted before this are ignored from now on.

local name = ARGV[2] == 'pool' and POOL_SCOPE or scopes .. ARGV[2]
local texts = call('MGET', KEYS[1], name)
open_pool(texts[1])
seq = seq + 1
local c = open_cooldown(texts[2])
lift(c)
save_cooldown(name, c)
save_pool()
if string.sub(ARGV[2], 1, 2) == 'm:' then
  local breaker = open_breaker(nil)
  lift_breaker(breaker)
  save_breaker(breaker_name(string.sub(ARGV[2], 3)), breaker)
end
note_lift(ARGV[2])
return told('')
