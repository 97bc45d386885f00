-- What most settlements come to: the slot that was charged is still the newest. What is out of the
-- ordinary is left to `thoroughly`.

local tokens, id = unpack('<dc32', ARGV[2])
local domain = ARGV[3]
local permit, ledger = prefix .. 'i:' .. id, prefix .. 'd:' .. domain
local texts = call('MGET', permit, ledger)

if texts[1] and #texts[1] == PERMIT_SIZE and texts[2] and #texts[2] == LEDGER_SIZE then
  local asking, index, seq, admitted, probe, charged, slot, requests, estimate, settled, start, ends,
    in_yesterday, in_tomorrow = unpack(PERMIT, texts[1])
  local in_minute, tokens_in_minute, oldest, newest, newest_requests, newest_tokens, first, last, yesterday,
    today, tomorrow, rpm, tpm, rpd, burst, since = unpack(LEDGER, texts[2])
  local more = min(tokens, MOST_TOKENS) - min(estimate, MOST_TOKENS)
  if charged == 1 and settled == 0 and slot == newest and newest_tokens + more >= 0
    and tokens_in_minute + more <= MOST then
    call('SET', permit, pack(PERMIT, asking, index, seq, admitted, probe, charged, slot, requests, estimate, 1,
      start, ends, in_yesterday, in_tomorrow), 'KEEPTTL')
    call('SET', ledger, pack(LEDGER,
      in_minute, tokens_in_minute + more, oldest, newest, newest_requests, newest_tokens + more,
      first, last, yesterday, today, tomorrow, rpm, tpm, rpd, burst, since), 'PX', LEDGER_LIFE + slack)
    return ''
  end
end
