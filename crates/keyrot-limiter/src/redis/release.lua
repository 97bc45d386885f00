-- Ends a permit: its place in flight and its probe come back, and its charge if it was never sent.

local c = open_candidate(ARGV[3])

local function succeeded(pool_text, names, p)
  local cooldowns, matters = {}, probe == 1
  for i = 1, SCOPES do
    if texts[1 + i] then
      cooldowns[i] = open_cooldown(texts[1 + i])
      matters = matters or cooldowns[i].strikes > 0
    end
  end
  if not matters then
    return
  end
  open_pool(pool_text)
  seq = seq + 1
  save_pool()
  for i = 1, SCOPES do
    local cooldown = cooldowns[i]
    if cooldown and lifted_by(cooldown, id, stamp) then
      lift(cooldown)
      save_cooldown(names[i], cooldown)
      note_lift(told_name(c, i, method))
    elseif cooldown and cooldown.strikes > 0 and gate(cooldown) == OPEN then
      cooldown.strikes = 0
      save_cooldown(names[i], cooldown)
    end
  end
  if p and probe == 1 then
    end_call(c.bucket, p, true)
  end
end

local p = open_permit(texts[1])
if p then
  call('DEL', permit)
  if ended == NEVER_SENT then
    refund(open_ledger(c.domain, call('GET', prefix .. 'd:' .. c.domain)), p)
  end
end
call('ZREM', prefix .. 'f:' .. c.key, id)
if ended == SUCCEEDED then
  succeeded(call('GET', KEYS[1]), { POOL_SCOPE, scopes_of(c, method) }, p)
elseif probe == 1 then
  free_probes(c, id, method)
  if p then
    end_call(c.bucket, p, false)
  end
end
save_lifts()
return ''
