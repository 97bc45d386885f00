-- Replaces a permit's estimate by the tokens that were used, once, in the slot it was charged to.

local p = open_permit(texts[1])
if p and p.charged == 1 and p.settled == 0 then
  p.settled = 1
  call('SET', permit, pack_permit(p), 'KEEPTTL')
  if texts[2] then
    local l = open_ledger(domain, texts[2])
    amend_slot(l, p.slot, 0, min(tokens, MOST_TOKENS) - min(p.tokens, MOST_TOKENS))
    if l.dirty then
      save_ledger(l)
    end
  end
end
return ''
