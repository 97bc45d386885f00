-- Gives up an asking: what was granted for it is given back, and what would be will not be.
local function give_back()
  local p, own = permit_now(number), caller()
  if p and p.asking ~= asking then
    -- The same question was asked again, and it is the later asking that holds the permit.
    return
  end
  remember(number, pack('<d', asking), 'PX', permit_life)
  local charged = own and permit_now(own.number)
  if charged then
    remember(own.number, pack('<d', asking), 'PX', permit_life)
    refund(ledger_of(own.domain), charged)
  end
  if p and p.index < ways then
    local c = candidate(p.index)
    refund(ledger_of(c.domain), p)
    typed_call('ZREM', prefix .. 'f:' .. c.key, id)
    if p.probe == 1 then
      free_probes(c, id, method)
      end_call(c.bucket, p, false)
    end
  end
end
