-- The facts whose names begin with a prefix, by name: no name has a byte above 0xF4.

local found = {}
local all = typed_call('ZRANGEBYLEX', names, '[' .. ARGV[2], '(' .. ARGV[2] .. '\255')
for first = 1, #all, 100 do
  local last = min(first + 99, #all)
  local texts = typed_call('HMGET', facts, spread(all, first, last))
  for i = first, last do
    local text = texts[i - first + 1]
    if open_fact(text) then
      found[#found + 1] = all[i]
      found[#found + 1] = text
    else
      forget_fact(all[i])
    end
  end
end
return found
