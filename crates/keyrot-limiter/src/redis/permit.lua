-- What is remembered of a permit until it ends: the key `i:` and its name.
--
-- Who gives up a question leaves a tombstone there, so that the question, should it arrive later, is
-- not charged. Each asking has a name of its own: one asking given up says nothing of the next.

local function pack_permit(p)
  return pack(PERMIT, p.asking, p.index, p.seq, p.admitted, p.probe, p.charged, p.slot, p.requests, p.tokens,
    p.settled, p.start, p.ends, p.in_yesterday, p.in_tomorrow)
end

-- The permit, unless there is none or it is a tombstone.
local function open_permit(text)
  if not text or #text ~= PERMIT_SIZE then
    return nil
  end
  local p = {}
  p.asking, p.index, p.seq, p.admitted, p.probe, p.charged, p.slot, p.requests, p.tokens,
    p.settled, p.start, p.ends, p.in_yesterday, p.in_tomorrow = unpack(PERMIT, text)
  -- Without these nothing can be given back.
  if p.index >= 0 and p.index < 1024 and p.slot >= -1 and p.slot <= MOST and p.requests >= 0 and p.requests <= MOST
    and p.tokens >= 0 and p.tokens <= MOST then
    return p
  end
end

-- Gives a charge back whose request was never sent; what is settled was sent. Others are told of the room.
local function refund(l, p)
  if p.charged == 1 and p.settled == 0 then
    amend_slot(l, p.slot, -p.requests, -min(p.tokens, MOST_TOKENS))
    refund_day(l, p.start, p.ends, p.in_yesterday, p.in_tomorrow, p.requests)
    save_ledger(l)
    note_lift(string.sub(l.name, #prefix + 1))
  end
end
