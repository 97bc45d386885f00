-- Facts: the hash `facts` holds when each was written, when it is gone, and its value; the sorted set
-- `names` holds the names of all in their order.

local facts, names = prefix .. 'facts', prefix .. 'names'
-- A fact that is damaged is one that is gone.
local GONE = pack('<dd', 0, 0)

-- When it was written, when it is gone, its value; nil when there is none or it is gone.
local function open_fact(text)
  if not text then
    return nil
  end
  local at, ends = unpack('<dd', #text >= 16 and text or GONE)
  -- What is no number is not later either.
  if not (at >= 0 and ends > now) then
    return nil
  end
  return at, ends, string.sub(text, 17)
end

local function forget_fact(name)
  call('HDEL', facts, name)
  call('ZREM', names, name)
end

local function save_fact(name, ends, value)
  -- A look at two of the others each time: what has aged out does not pile up.
  local some = typed_call('HRANDFIELD', facts, 2, 'WITHVALUES')
  for i = 1, #some, 2 do
    if not open_fact(some[i + 1]) then
      forget_fact(some[i])
    end
  end
  if call('HSET', facts, name, pack('<dd', now, ends) .. value) == 1 then
    typed_call('ZADD', names, 0, name)
  end
  call('PEXPIRE', facts, LONGEST + slack)
  call('PEXPIRE', names, LONGEST + slack)
end
