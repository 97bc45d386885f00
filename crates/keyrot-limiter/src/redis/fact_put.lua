-- Writes a fact.

local life, value = unpack('<d', ARGV[3]), ARGV[4]
save_fact(ARGV[2], now + life, value)
return ''
