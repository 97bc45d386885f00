-- Replaces a permit's estimate by the tokens that were used, once, in the slot it was charged to.
local function settle(domain, used)
  local p = permit_now(number)
  if p and p.charged == 1 and p.settled == 0 then
    settled[number] = true
    amend_slot(ledger_of(domain), p.slot, 0, min(used, MOST_TOKENS) - min(p.tokens, MOST_TOKENS))
  end
end
