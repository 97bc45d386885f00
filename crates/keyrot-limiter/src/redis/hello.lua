-- Which server this is, and what it does when its memory is full. A user who may not ask learns
-- nothing, and limits all the same.

local function field(section, pattern)
  local text = redis.pcall('INFO', section)
  return type(text) == 'string' and string.match(text, pattern) or ''
end

return { field('server', 'run_id:(%w+)'), field('memory', 'maxmemory_policy:([%w-]+)') }
