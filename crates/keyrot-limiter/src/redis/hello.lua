-- Which server this is, what it does when its memory is full, and the format that a newer release says
-- older ones must know. A user who may not ask for the first two learns nothing, and limits all the same.

local function field(section, pattern)
  local text = redis.pcall('INFO', section)
  return type(text) == 'string' and string.match(text, pattern) or ''
end

return { field('server', 'run_id:(%w+)'), field('memory', 'maxmemory_policy:([%w-]+)'), call('GET', prefix .. 'format') or '' }
