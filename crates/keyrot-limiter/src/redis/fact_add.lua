-- Adds to a counter, which keeps the end it was given, and gives its new value.

local by = unpack('<d', ARGV[3])
local _, ends, value = open_fact(typed_call('HGET', facts, ARGV[2]))
local sum = by
if value and string.match(value, '^%+?%d+$') then
  sum = min(tonumber(value) + by, MOST)
end
save_fact(ARGV[2], ends or NEVER, string.format('%.0f', sum))
return string.format('%.0f', sum)
