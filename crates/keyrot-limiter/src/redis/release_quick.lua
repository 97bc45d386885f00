-- What most permits come to in the end: their request was sent, and nothing is known against the
-- way they went. What is out of the ordinary is left to `thoroughly`.

local SUCCEEDED, NEVER_SENT = 0, 2
local ended, probe, method, stamp, id = unpack('<ddddc32', ARGV[2])
local _, _, _, _, _, domain, bucket, project, key, fingerprint = unpack(CANDIDATE, ARGV[3])
local permit, identity = prefix .. 'i:' .. id, scopes .. 'k:' .. key .. ':' .. fingerprint
-- The permit, and what may cool: the pool, the model, the project, the domain, the key, the key's method.
local texts = call('MGET', permit, prefix .. 'c:pool', scopes .. 'm:' .. bucket, scopes .. 'p:' .. project,
  scopes .. 'd:' .. domain, identity, identity .. ':' .. method .. ':' .. bucket)

if ended ~= NEVER_SENT and probe == 0 and not (texts[2] or texts[3] or texts[4] or texts[5] or texts[6] or texts[7]) then
  if texts[1] and #texts[1] == PERMIT_SIZE then
    call('DEL', permit)
  end
  call('ZREM', prefix .. 'f:' .. key, id)
  return ''
end
