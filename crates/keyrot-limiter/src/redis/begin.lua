-- How every script begins: what time it is, and where the pool's keys are.
--
-- KEYS[1] is the pool's own key. The names of all others are made from it, so that a question about
-- sixteen candidates sends no hundred names; they share its hash tag, and with it its server.
-- Numbers cross the border as doubles: they are exact up to 2^53, and there is a never among them.
local spread = unpack
local call, pack, unpack = redis.call, struct.pack, struct.unpack
local floor, max, min = math.floor, math.max, math.min
local NEVER = math.huge
local HOUR = 3600000
local DAY = 24 * HOUR
-- How long the pool is remembered when nobody uses it, and the longest that anything is.
local LONGEST = 400 * DAY
-- The slots of a minute, and what one charge counts at most, so that no sum can overflow.
local SLOT, WINDOW, MOST_TOKENS = 250, 60000, 2 ^ 40
-- The largest number that is told apart from the next. What is larger, below what it counts from, or not
-- a number at all was written by nobody here: it is damaged, and taken for absent.
local MOST = 2 ^ 53
-- How a ledger and a permit are written down, and how long they are remembered: longer than today and
-- tomorrow; as long as a charge may be in the window, if the lease is not longer.
local LEDGER, LEDGER_SIZE, LEDGER_LIFE = '<dddddddddddddddd', 128, 52 * HOUR
local PERMIT, PERMIT_LIFE, PERMIT_SIZE = '<dddddddddddddd', 65000, 112
-- How long a place in flight is kept for whom nothing was heard of.
local PLACE_LIFE = 30000
-- How a candidate is written in a question: its limits, its domain, and what these are made of.
local CANDIDATE = '<dddddI4c0I4c0I4c0I4c0I4c0'

-- The client's clock, or -1 for the server's; what every lifetime is longer by; a name for the memory
-- of a pool that is found empty.
local now, slack, fresh = unpack('<ddd', ARGV[1])
-- The number of the newest lift that the client has heard of, as its bytes; the tag of its endpoint.
local heard, tag = string.sub(ARGV[1], 25, 32), string.sub(ARGV[1], 33)
-- That number where nothing was ever lifted, and how a breaker that is not tripped begins.
local NO_LIFT, NOT_TRIPPED = string.rep('\0', 8), string.byte('c')
-- The usual lifetimes as texts: the server turns a number into one slowly.
local ledger_life, longest_life, permit_life = '187200000', '34560000000', '65000'
if slack > 0 then
  ledger_life, longest_life, permit_life = LEDGER_LIFE + slack, LONGEST + slack, PERMIT_LIFE + slack
end
if now < 0 then
  local t = call('TIME')
  now = t[1] * 1000 + floor(t[2] / 1000)
end

local prefix = string.sub(KEYS[1], 1, -5)
-- Cooldowns belong to an endpoint; what is counted, and what stops the pool, does not.
local scopes = prefix .. 'c' .. tag .. ':'
