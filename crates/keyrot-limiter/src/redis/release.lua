-- Ends a permit: its place in flight and its probe come back, and its charge if it was never sent.

local function succeeded(c, p, probe, stamp)
  local names = { POOL_SCOPE, scopes_of(c, method) }
  local texts = recall(names)
  local cooldowns, matters = {}, probe == 1
  for i = 1, SCOPES do
    if texts[i] then
      cooldowns[i] = open_cooldown(texts[i])
      matters = matters or cooldowns[i].strikes > 0
    end
  end
  if not matters then
    return
  end
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

local function release(c, ended, probe, stamp)
  local p = permit_now(number)
  if p then
    settled[number], gone[number], held[number] = nil, true, false
    if ended == NEVER_SENT then
      refund(ledger_of(c.domain), p)
    end
  end
  typed_call('ZREM', prefix .. 'f:' .. c.key, id)
  if ended == SUCCEEDED then
    succeeded(c, p, probe, stamp)
  elseif probe == 1 then
    free_probes(c, id, method)
    if p then
      end_call(c.bucket, p, false)
    end
  end
end
