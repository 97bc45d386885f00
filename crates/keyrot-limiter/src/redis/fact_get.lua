-- One fact.

local text = call('HGET', facts, ARGV[2])
return open_fact(text) and text or false
