-- Asks a key that holds a list, a set or a hash. One that holds something else is damaged: it goes, and is
-- asked again.
local function typed_call(command, name, ...)
  local got = redis.pcall(command, name, ...)
  if type(got) == 'table' and got.err then
    if string.find(got.err, 'WRONGTYPE', 1, true) then
      call('DEL', name)
    end
    return call(command, name, ...)
  end
  return got
end

