-- One fact.

local text = typed_call('HGET', facts, ARGV[2])
return open_fact(text) and text or false
