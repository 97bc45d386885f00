-- A question alone, which is what a batch is while there is little to do: the first candidate may go,
-- nothing keeps it and nothing begins or ends. It is decided here in a straight line, for tables and
-- functions would cost more than the decision. Whatever is out of the ordinary goes on below, where it
-- would be decided the same.
local PLACE, WAY_LENGTH = '<BI4c0I4c0I4c0I4c0I4c0', 42
-- A question up to its first candidate, and with it.
local QUESTION, QUESTION_LENGTH = '<BdddddHBHddddd', 44
local ops = ARGV[5]
-- What each of it is, and how a permit ended.
local GIVEN_UP, ASK, SETTLE, RELEASE, GIVE_BACK = 0, 1, 2, 3, 4
-- The same for a caller who is charged as well: the number of that permit, the place of the ledger, its
-- limits stand behind the candidates.
local GIVEN_UP_FOR, ASK_FOR, GIVE_BACK_FOR = 16, 17, 20
local CALLER, CALLER_LENGTH = '<HHdddd', 36
local SUCCEEDED, NEVER_SENT = 0, 2

if string.byte(ops) == ASK and #ops == QUESTION_LENGTH + WAY_LENGTH * string.byte(ops, QUESTION_LENGTH) then
  local _, requests, tokens, lease, asking, _, _, _, _, rpm, tpm, rpd, burst, concurrency = unpack(QUESTION, ops)
  local method, domain, bucket, project, key, fingerprint = unpack(PLACE, ARGV[2])
  local permit, ledger = prefix .. 'i:' .. ARGV[4], prefix .. 'd:' .. domain
  local identity = scopes .. 'k:' .. key .. ':' .. fingerprint
  local texts = call('MGET', KEYS[1], permit, ledger, prefix .. 'c:pool', scopes .. 'm:' .. bucket,
    scopes .. 'p:' .. project, scopes .. 'd:' .. domain, identity, identity .. ':' .. method .. ':' .. bucket,
    prefix .. 'b' .. tag .. ':' .. bucket, prefix .. 'l' .. tag)
  -- The pool and the ledger are known, the permit is new, nothing cools or is held back, the client has
  -- heard of every lift, and no request is counted but by the minute and the day.
  if texts[1] and #texts[1] == 32 and texts[3] and #texts[3] == LEDGER_SIZE
    and concurrency < 0 and burst < 0 and requests > 0 and tokens <= MOST_TOKENS
    and not (texts[2] or texts[4] or texts[5] or texts[6] or texts[7] or texts[8] or texts[9])
    and not (texts[10] and string.byte(texts[10]) ~= NOT_TRIPPED)
    and (texts[11] and string.sub(texts[11], 1, 8) or NO_LIFT) == heard then
    local epoch, seq, width, changed = unpack('<dddd', texts[1])
    local in_minute, tokens_in_minute, oldest, newest, newest_requests, newest_tokens, start, ends, yesterday,
      today, tomorrow, as_rpm, as_tpm, as_rpd, as_burst, since = unpack(LEDGER, texts[3])
    -- What is damaged is none of these: a number that is not one compares with nothing.
    local sound = epoch >= 0 and epoch <= MOST and seq >= 0 and seq < MOST
      and width >= 250 and width <= 2000 and changed <= MOST
      and newest_requests >= 0 and newest_requests <= in_minute and in_minute <= MOST
      and newest_tokens >= 0 and newest_tokens <= tokens_in_minute and tokens_in_minute <= MOST
      and oldest <= newest and newest * SLOT <= now + DAY and ends - start <= 2 * DAY
      and yesterday >= 0 and yesterday <= MOST and today >= 0 and today <= MOST and tomorrow >= 0 and tomorrow <= MOST
    in_minute, tokens_in_minute, today = in_minute + requests, tokens_in_minute + tokens, today + requests
    -- The limits are those known, no slot begins or leaves the window, it is not about midnight, and it
    -- fits. The guard is taken as wide as it last was: it may be narrower by now, which forbids less.
    if sound and rpm == as_rpm and tpm == as_tpm and rpd == as_rpd and burst == as_burst
      and newest >= floor(now / SLOT) and (oldest + 1) * SLOT + WINDOW + width > now
      and now >= start + width and now < ends - width
      and (rpm < 0 or in_minute <= rpm) and (tpm < 0 or tokens_in_minute <= tpm)
      and (rpd < 0 or today <= rpd) then
      seq = seq + 1
      call('SET', ledger, pack(LEDGER,
        in_minute, tokens_in_minute, oldest, newest, newest_requests + requests, newest_tokens + tokens,
        start, ends, yesterday, today, tomorrow, rpm, tpm, rpd, burst, since), 'PX', ledger_life)
      call('SET', permit, pack(PERMIT, asking, 0, seq, now, 0, 1, newest, requests, tokens, 0, start, ends, 0, 0),
        'PX', lease <= PERMIT_LIFE and permit_life or min(lease, LONGEST) + slack)
      call('SET', KEYS[1], pack('<dddd', epoch, seq, width, changed), 'PX', longest_life)
      return pack('<I4dddddddddddd', 96, now, epoch, seq, 0, 1, 0, seq, now, 0, in_minute, tokens_in_minute, today)
    end
  end
end
