-- Gives up an asking: what was granted for it is given back, and what would be will not be.

local method, asking, id = unpack('<ddc32', ARGV[2])
local name = prefix .. 'i:' .. id
local text = call('GET', name)
local p = open_permit(text)
if p and p.asking ~= asking then
  -- The same question was asked again, and it is the later asking that holds the permit.
  return ''
end
call('SET', name, pack('<d', asking), 'PX', PERMIT_LIFE + slack)
if p then
  local c = candidate(p.index)
  refund(open_ledger(c.domain, call('GET', prefix .. 'd:' .. c.domain)), p)
  call('ZREM', prefix .. 'f:' .. c.key, id)
  if p.probe == 1 then
    free_probes(c, id, method)
    end_call(c.bucket, p, false)
  end
end
save_lifts()
return ''
