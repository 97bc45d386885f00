-- Does what a batch asks and tells, in order. What most of it comes to is looked at here without a table
-- or a function, which cost more than the decision; whatever is out of the ordinary is left to
-- `thoroughly`, which knows all of it and would decide the same.

local rest
local function thorough()
  rest = rest or thoroughly()
  return rest
end

local answers, n, at = {}, 0, 1
-- Lifetimes as texts: a number is turned into one more slowly than it is looked up.
local lives, SETTLED = {}, pack('<d', 1)

while at <= #ops do
  local kind = string.byte(ops, at)
  if kind == ASK then
    local _, requests, tokens, lease, asking, class, number, ways, place, rpm, tpm, rpd, burst, concurrency =
      unpack(QUESTION, ops, at)
    local ways_at = at + QUESTION_LENGTH
    at = ways_at + WAY_LENGTH * ways
    number = number + 1
    local p = places[place + 1]
    local l = p.ledger
    local in_minute, tokens_in_minute, today = l.requests + requests, l.tokens + tokens, l.today + requests
    -- The permit is new, nothing cools, no request is counted but by the minute and the day, and nothing
    -- is closed. The limits are those known, no slot begins or leaves the window, it is not about
    -- midnight, and it fits. The guard is taken as wide as it last was: it may be narrower by now, which
    -- forbids less.
    if not held[number] and calm and p.clear and not shut
      and concurrency < 0 and burst < 0 and requests > 0 and tokens <= MOST_TOKENS
      and rpm == l.rpm and tpm == l.tpm and rpd == l.rpd and burst == l.burst
      and l.newest >= floor(now / SLOT) and (l.oldest + 1) * SLOT + WINDOW + width > now
      and now >= l.start + width and now < l.ends - width
      and in_minute <= MOST and tokens_in_minute <= MOST and today <= MOST
      and (rpm < 0 or in_minute <= rpm) and (tpm < 0 or tokens_in_minute <= tpm)
      and (rpd < 0 or today <= rpd) then
      seq = seq + 1
      pool_changed = true
      l.requests, l.tokens, l.today, l.dirty = in_minute, tokens_in_minute, today, true
      l.newest_requests, l.newest_tokens = l.newest_requests + requests, l.newest_tokens + tokens
      local life = lives[lease]
      if not life then
        life = string.format('%.0f', min(max(PERMIT_LIFE, lease), LONGEST) + slack)
        lives[lease] = life
      end
      local text = pack(PERMIT, asking, 0, seq, now, 0, 1, l.newest, requests, tokens, 0, l.start, l.ends, 0, 0)
      call('SET', permits[number], text, 'PX', life)
      held[number], gone[number] = text, nil
      n = n + 1
      answers[n] = pack('<I4dddddddddddd',
        96, now, epoch, seq, 0, 1, 0, seq, now, 0, in_minute, tokens_in_minute, today)
    else
      local answer = thorough()[ASK](number, requests, tokens, lease, asking, class, ways, ways_at)
      n = n + 1
      answers[n] = pack('<I4', #answer) .. answer
    end
  elseif kind == SETTLE then
    local _, used, number, place, next_at = unpack('<BdHH', ops, at)
    at = next_at
    number = number + 1
    local p, text, more = places[place + 1], held[number], nil
    local l = p.ledger
    if text and #text == PERMIT_SIZE and not settled[number] then
      local charged, slot, _, estimate, was_settled = unpack('<ddddd', text, 41)
      more = charged == 1 and was_settled == 0 and slot == l.newest and min(used, MOST_TOKENS) - min(estimate, MOST_TOKENS)
    end
    -- The slot that was charged is still the newest.
    if more and l.newest_tokens + more >= 0 and l.tokens + more <= MOST then
      settled[number] = true
      l.tokens, l.newest_tokens, l.dirty = l.tokens + more, l.newest_tokens + more, true
    elseif text then
      thorough()[SETTLE](number, p, used)
    end
  elseif kind == RELEASE then
    local _, ended, probe, stamp, number, place, next_at = unpack('<BBBdHH', ops, at)
    at = next_at
    number = number + 1
    local p = places[place + 1]
    -- The request was sent, no probe, and nothing is known against the way it went.
    if ended ~= NEVER_SENT and probe == 0 and calm and p.clear then
      if held[number] and #held[number] == PERMIT_SIZE then
        settled[number], gone[number], held[number] = nil, true, false
      end
      local leaving = leavers[p.key]
      if leaving then
        leaving[#leaving + 1] = ids[number]
      else
        leavers[p.key] = { ids[number] }
      end
    else
      thorough()[RELEASE](number, p, ended, probe, stamp)
    end
  else
    local _, requests, tokens, lease, asking, class, number, ways = unpack('<BdddddHB', ops, at)
    local ways_at, caller_at = at + QUESTION_LENGTH, false
    at = ways_at + WAY_LENGTH * ways
    if kind >= GIVEN_UP_FOR then
      caller_at = at
      at = at + CALLER_LENGTH
    end
    if kind == GIVE_BACK or kind == GIVE_BACK_FOR then
      thorough()[GIVE_BACK](number + 1, requests, tokens, lease, asking, class, ways, ways_at, caller_at)
    elseif kind == ASK_FOR then
      local answer = thorough()[ASK](number + 1, requests, tokens, lease, asking, class, ways, ways_at, caller_at)
      n = n + 1
      answers[n] = pack('<I4', #answer) .. answer
    end
  end
end

for number in pairs(settled) do
  local text = held[number]
  call('SET', permits[number], string.sub(text, 1, 72) .. SETTLED .. string.sub(text, 81), 'KEEPTTL')
end
local ended = {}
for number in pairs(gone) do
  ended[#ended + 1] = permits[number]
end
if #ended > 0 then
  call('DEL', spread(ended))
end
for key, leaving in pairs(leavers) do
  typed_call('ZREM', prefix .. 'f:' .. key, spread(leaving))
end
for _, l in pairs(ledgers) do
  if l.dirty then
    save_ledger(l)
  end
end
if pool_changed then
  save_pool()
end
local answer, newest = table.concat(answers), texts[3] and string.sub(texts[3], 1, 8) or NO_LIFT
-- What was lifted here, or is news to the client, goes with the answer.
if rest or newest ~= heard then
  return thorough().told(answer)
end
return answer
