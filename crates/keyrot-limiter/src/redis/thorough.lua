-- What the thorough way of a batch works with: whatever it writes, the rest of the batch sees.

-- What was read or written under each key; false where there is nothing.
local known = {}
for i = 1, #names do
  known[names[i]] = texts[i]
end

-- Cooldowns and breakers are written at once.
local plain_call = call
local function call(command, name, value, ...)
  if command == 'SET' or command == 'DEL' then
    known[name] = command == 'SET' and value
    local what = string.sub(name, #prefix + 1, #prefix + 1)
    if what == 'c' or what == 'b' then
      calm = false
    end
  end
  if value == nil then
    return plain_call(command, name)
  end
  return plain_call(command, name, value, ...)
end

-- Ledgers and the pool are written at the end.
local function save_ledger(l)
  l.dirty = true
end

local function save_pool()
  pool_changed = true
end
