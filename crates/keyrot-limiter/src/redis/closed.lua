-- A question that is refused for capacity closes what refused it to those of its class after it in the
-- batch, even if they would fit: else small requests would starve a large one.

-- What a limit is one of: the domain, or of places in flight the key.
local function holder(c, kind)
  return kind == CONCURRENCY and 'k' .. c.key or 'd' .. c.domain
end

-- Whether the question takes anything of a limit.
local function takes(c, kind)
  if kind == CONCURRENCY then
    return c.concurrency >= 0
  elseif kind == TPM then
    return c.tpm >= 0 and tokens > 0
  end
  return requests > 0 and (kind == RPM and c.rpm or kind == RPD and c.rpd or c.burst) >= 0
end

local function close(c, kind, wait)
  shut = shut or {}
  shut[class] = shut[class] or {}
  local of, whose = shut[class], holder(c, kind)
  of[whose] = of[whose] or {}
  of[whose][kind] = max(of[whose][kind] or 0, wait)
end

-- How long the longest of the limits that are closed to a candidate is, and which it is.
local function closed_to(c)
  local of, wait, kind = shut and shut[class], nil, nil
  for this = RPM, of and CONCURRENCY or -1 do
    -- A caller's ledger has no key, and takes no place of one.
    local whose = takes(c, this) and of[holder(c, this)]
    if whose and whose[this] and (not wait or whose[this] > wait) then
      wait, kind = whose[this], this
    end
  end
  return wait, kind
end
