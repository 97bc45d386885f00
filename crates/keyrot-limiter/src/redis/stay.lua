-- Keeps the places in flight of a client that lives: each permit's name, what is left of its lease, and its
-- key. One that has ended is not entered again.

for i = 2, #ARGV do
  local left, key = unpack('<d', ARGV[i], 33), string.sub(ARGV[i], 41)
  typed_call('ZADD', prefix .. 'f:' .. key, 'XX', now + min(left, PLACE_LIFE), string.sub(ARGV[i], 1, 32))
end
return ''
