-- Says that an instance lives, and gives all that do.

local life = unpack('<d', ARGV[2])
local live = prefix .. 'live'
local text = call('GET', KEYS[1])
open_pool(text)
if not text then
  save_pool()
end
typed_call('ZREMRANGEBYSCORE', live, '-inf', now)
call('ZADD', live, now + life, ARGV[3])
if call('PTTL', live) < life + slack then
  call('PEXPIRE', live, min(life, LONGEST) + slack)
end
local answer = call('ZRANGE', live, 0, -1)
table.insert(answer, 1, pack('<ddd', now, epoch, seq))
return answer
