-- What was lifted, for every client to hear of: the key `l` holds the number of the newest lift, that of
-- the newest one that has been forgotten, and the others behind their numbers.
--
-- A number is never given twice, also not by a memory that was lost in part: numbers grow with time. So a
-- client whose newest number is not found here has missed what cannot be told one by one.

local REMEMBERED = 64
local LIFTS = prefix .. 'l' .. tag
-- As a client that has not asked yet names the newest.
local NEVER_ASKED = pack('<d', -1)
-- The scopes that this run has lifted.
local lifted = {}

local function note_lift(scope)
  lifted[#lifted + 1] = scope
end

-- The number that stands in `text` from `at`, if one does.
local function number_in(text, at)
  local number = text and #text >= at + 7 and unpack('<d', text, at)
  return number and number >= 0 and number < MOST and number or nil
end

-- The number of the newest that was forgotten, and the others. What is damaged is forgotten.
local function open_lifts(text)
  local all, at = {}, 17
  if not text then
    return NO_LIFT, all
  end
  if not number_in(text, 9) then
    return '', all
  end
  while at <= #text do
    local length = #text >= at + 11 and unpack('<I4', text, at + 8) or MOST
    if at + 11 + length > #text then
      return '', {}
    end
    all[#all + 1] = { string.sub(text, at, at + 7), string.sub(text, at + 12, at + 11 + length) }
    at = at + 12 + length
  end
  return string.sub(text, 9, 16), all
end

local function save_lifts()
  if #lifted == 0 then
    return
  end
  local text = call('MGET', LIFTS)[1]
  local before, all = open_lifts(text)
  local newest = number_in(text, 1) or 0
  for i = 1, #lifted do
    newest = max(newest + 1, now * 1024)
    all[#all + 1] = { pack('<d', newest), lifted[i] }
  end
  local first = max(#all - REMEMBERED, 0) + 1
  if first > 1 then
    before = all[first - 1][1]
  end
  local parts = { pack('<d', newest), before == '' and NO_LIFT or before }
  for i = first, #all do
    parts[#parts + 1] = all[i][1] .. pack('<I4', #all[i][2]) .. all[i][2]
  end
  call('SET', LIFTS, table.concat(parts), 'PX', LONGEST + slack)
end

-- An answer, and with it what the client has yet to hear of, if there is anything: the newest number, and
-- each scope behind its own; an empty text for all.
local function told(answer)
  save_lifts()
  local text = call('MGET', LIFTS)[1]
  local newest = number_in(text, 1) and string.sub(text, 1, 8) or NO_LIFT
  if newest == heard then
    return answer
  end
  local reply = { answer, newest }
  if heard == NEVER_ASKED then
    return reply
  end
  local before, all = open_lifts(text)
  local found = before == heard and 0
  for i = 1, #all do
    if all[i][1] == heard then
      found = i
    end
  end
  if not found then
    reply[3] = ''
    return reply
  end
  for i = found + 1, #all do
    reply[#reply + 1] = all[i][1] .. all[i][2]
  end
  return reply
end
