"""What Redis does in one step for the store: scripts in Lua that keep entries and the indexes of their labels together.

A label's index is a sorted set of keys by the time their entries expire (milliseconds by the server's clock, or inf).
An entry that is replaced, deleted or purged leaves the indexes of all its labels; what has expired leaves an index with
the next puts into it, and an index expires with the last of its entries. So it holds little more than what is alive.
"""

from __future__ import annotations

from typing import Final

#: Of what has expired in an index, a put removes so many: more than the one it adds, and 10 microseconds (Redis 7.0).
SWEPT_KEYS: Final = 16

#: Reads the head of an envelope as redis_envelope writes it.
_LABELS: Final = """
local function labels_of(entry)
  local start = redis.pcall('GETRANGE', entry, 0, 11)
  if type(start) ~= 'string' or #start < 12 then return {} end
  local head = redis.call('GETRANGE', entry, 12, 11 + struct.unpack('>I4', start, 9))
  local found, place, field = {}, 13, nil
  while place + 3 <= #head do
    local bytes = struct.unpack('>I4', head, place)
    field, place = string.sub(head, place + 4, place + 3 + bytes), place + 4 + bytes
    found[#found + 1] = field
  end
  table.remove(found, 1)  -- its own key
  return found
end
local function leave(labels, key, index_start)
  for _, label in ipairs(labels) do redis.pcall('ZREM', index_start .. label, key) end
end
"""

#: Write an entry and its labels at once: in two steps, a purge between them would leave an entry that no label knows.
#: Refused while the process that asks has not heard the last purge, which may be about what is put and was here before.
#: KEYS entry, revocation, bulletin, indexes; ARGV envelope, key, milliseconds to live (0 = for ever), what indexes
#: begin with, the bulletin's last message as far as it is known ("" = there is no bulletin).
PUT: Final = f"""{_LABELS}
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
if ARGV[5] ~= '' then
  local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
  if not last or last[1] ~= ARGV[5] then return 0 end
end
local time, lease = redis.call('TIME'), tonumber(ARGV[3])
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = lease == 0 and 'inf' or string.format('%.0f', now + lease)
leave(labels_of(KEYS[1]), ARGV[2], ARGV[4])
for i = 4, #KEYS do
  local expired = redis.call('ZCOUNT', KEYS[i], '-inf', now)
  if expired > 0 then redis.call('ZREMRANGEBYRANK', KEYS[i], 0, math.min(expired, {SWEPT_KEYS}) - 1) end
  redis.call('ZADD', KEYS[i], ends, ARGV[2])
  local last = redis.call('ZREVRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2]
  if last == 'inf' then
    redis.call('PERSIST', KEYS[i])
  else
    redis.call('PEXPIREAT', KEYS[i], string.format('%.0f', tonumber(last)))
  end
end
if lease == 0 then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', lease)
end
return 1
"""

#: Remove an entry.
#: KEYS entry; ARGV key, what indexes begin with.
DELETE: Final = f"""{_LABELS}
leave(labels_of(KEYS[1]), ARGV[1], ARGV[2])
return redis.call('UNLINK', KEYS[1])
"""

#: Remove an entry, and have its put refused, should that arrive only now. A full server cannot note it.
#: KEYS entry, revocation; ARGV key, what indexes begin with, milliseconds until the put has arrived or never will.
REVOKE: Final = f"""{_LABELS}
leave(labels_of(KEYS[1]), ARGV[1], ARGV[2])
redis.call('UNLINK', KEYS[1])
redis.pcall('SET', KEYS[2], '', 'PX', ARGV[3])
return 1
"""

#: Empty indexes: an entry that still has the label goes, one that was replaced by another without it stays. Gives how
#: many entries went, and how many indexes are done.
#: KEYS indexes; ARGV what entries begin with, what indexes begin with, keys to look at.
PURGE: Final = f"""{_LABELS}
local left, gone = tonumber(ARGV[3]), 0
for i, index in ipairs(KEYS) do
  if left <= 0 then return {{gone, i - 1}} end
  local label = string.sub(index, #ARGV[2] + 1)
  local popped = redis.call('ZPOPMIN', index, left)
  for at = 1, #popped, 2 do
    local key, has = popped[at], false
    local labels = labels_of(ARGV[1] .. key)
    for _, one in ipairs(labels) do has = has or one == label end
    left = left - 1
    if has then
      leave(labels, key, ARGV[2])
      gone = gone + redis.call('UNLINK', ARGV[1] .. key)
    end
  end
  if redis.call('EXISTS', index) == 1 then return {{gone, i - 1}} end
end
return {{gone, #KEYS}}
"""
