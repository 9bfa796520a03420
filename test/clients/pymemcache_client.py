"""pymemcache: every operation of its Client, then its pooled and hashing clients.

Arguments: the server's address (it is flushed), and for TLS the file of the authority that vouches for the server.
"""

import ssl
import sys

from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache.exceptions import MemcacheClientError, MemcacheIllegalInputError, MemcacheServerError
from pymemcache.serde import pickle_serde

from checks import Checks

ALREADY_DEAD = 4294967295  # -1 as an unsigned 32-bit number
LARGE = bytes(range(256)) * 3600  # 900 KiB of every byte
TOO_LARGE = b'x' * (1024 * 1024)


class CarelessClient(Client):
    def check_key(self, key):
        return key.encode()


address, *authority = sys.argv[1:]
tls_context = ssl.create_default_context(cafile=authority[0]) if authority else None
checks = Checks()


def connected(kind=Client, **options):
    return kind(address, **{'default_noreply': False, 'timeout': 20, 'tls_context': tls_context, **options})


client = connected()


def storing():
    checks.equal(client.set('key', b'value'), True, 'set stores a value')
    checks.equal(client.get('key'), b'value', 'get returns it')
    checks.equal(client.get('missing'), None, 'get of a missing key is None')
    checks.equal(client.get('missing', 'other'), 'other', 'get of a missing key returns the default')
    checks.equal(client.add('key', b'second'), False, 'add refuses a key that exists')
    checks.equal(client.add('new', b'first'), True, 'add stores a new key')
    checks.equal(client.replace('missing', b'x'), False, 'replace refuses a missing key')
    checks.equal(client.replace('key', b'replaced'), True, 'replace stores over a key that exists')
    checks.equal(client.append('key', b'-end'), True, 'append to a key that exists')
    checks.equal(client.prepend('key', b'start-'), True, 'prepend to a key that exists')
    checks.equal(client.get('key'), b'start-replaced-end', 'append and prepend put the value together')
    checks.equal(client.append('missing', b'x'), False, 'append refuses a missing key')
    checks.equal(client.prepend('missing', b'x'), False, 'prepend refuses a missing key')
    checks.equal(client.delete('key'), True, 'delete finds the key')
    checks.equal(client.delete('key'), False, 'delete of a missing key is refused')
    checks.equal(client.get('key'), None, 'a deleted key is gone')


def values():
    every_byte = bytes(range(256))
    client.set('every-byte', every_byte)
    checks.equal(client.get('every-byte'), every_byte, 'a value of every byte comes back')
    client.set('line-ends', b'a\r\nEND\r\n\r\nb\n')
    checks.equal(client.get('line-ends'), b'a\r\nEND\r\n\r\nb\n', 'a value with line ends comes back')
    client.set('empty', b'')
    checks.equal(client.get('empty'), b'', 'an empty value comes back')
    client.set('unicode', 'grüße, 世界, 🙂'.encode())
    checks.equal(client.get('unicode').decode(), 'grüße, 世界, 🙂', 'a value in UTF-8 comes back')
    client.set('large', LARGE)
    checks.equal(client.get('large'), LARGE, 'a value of 900 KiB comes back')
    client.set('too-large', b'old')
    checks.raises(MemcacheServerError, lambda: client.set('too-large', TOO_LARGE), 'a value of 1 MiB is a server error')
    checks.equal(client.get('too-large'), None, 'a value that is too large takes the old one away')
    checks.equal(client.get('large'), LARGE, 'other values stay')


def keys():
    longest = 'k' * 250
    checks.equal(client.set(longest, b'v'), True, 'a key of 250 bytes is stored')
    checks.equal(client.get(longest), b'v', 'a key of 250 bytes is found')
    checks.raises(MemcacheIllegalInputError, lambda: client.set('k' * 251, b'v'), 'the client refuses 251 bytes')
    careless = connected(CarelessClient)
    checks.raises(MemcacheClientError, lambda: careless.get('k' * 251), 'the server refuses 251 bytes')
    checks.equal(careless.get(longest), b'v', 'and the client goes on')
    careless.close()
    unicode_client = connected(allow_unicode_keys=True)
    checks.equal(unicode_client.set('ключ-键', b'v'), True, 'a key in UTF-8 is stored')
    checks.equal(unicode_client.get_many(['ключ-键']), {'ключ-键': b'v'}, 'a key in UTF-8 is found')
    unicode_client.close()


def many():
    checks.equal(client.set_many({f'many-{i}': b'%d' % i for i in range(500)}), [], 'set_many stores 500 keys')
    wanted = {f'many-{i}': b'%d' % i for i in range(500)}
    asked = list(wanted) + ['many-missing']
    checks.equal(client.get_many(asked), wanted, 'get_many returns the 500 that exist')
    checks.equal(client.get_many([]), {}, 'get_many of nothing is empty')
    checks.equal(client.delete_many([f'many-{i}' for i in range(0, 500, 2)]), True, 'delete_many deletes half')
    checks.equal(len(client.get_many(asked)), 250, 'the other half stays')


def cas():
    client.set('cas', b'one')
    value, token = client.gets('cas')
    checks.equal(value, b'one', 'gets returns the value')
    checks.equal(token.isdigit(), True, 'gets returns a decimal number')
    checks.equal(client.cas('cas', b'two', token), True, 'cas with the right number stores')
    checks.equal(client.cas('cas', b'three', token), False, 'cas with an old number is refused')
    checks.equal(client.cas('cas-missing', b'x', token), None, 'cas of a missing key is not found')
    checks.equal(client.get('cas'), b'two', 'the refused value was not stored')
    client.set('cas-2', b'other')
    found = client.gets_many(['cas', 'cas-2', 'missing'])
    checks.equal({key: entry[0] for key, entry in found.items()}, {'cas': b'two', 'cas-2': b'other'}, 'gets_many returns the values')
    checks.true(found['cas'][1] != found['cas-2'][1], 'each value has a number of its own')
    checks.equal(client.gets('missing'), (None, None), 'gets of a missing key is None twice')


def arithmetic():
    client.set('number', b'10')
    checks.equal(client.incr('number', 5), 15, 'incr returns the sum')
    checks.equal(client.decr('number', 6), 9, 'decr returns the difference')
    checks.equal(client.get('number'), b'9 ', 'a number that got shorter is padded with a space')
    checks.equal(client.decr('number', 100), 0, 'decr stops at zero')
    client.set('number', b'18446744073709551615')
    checks.equal(client.incr('number', 1), 0, 'incr wraps at 64 bits')
    client.set('number', b'18446744073709551600')
    checks.equal(client.incr('number', 15), 18446744073709551615, 'incr reaches the largest 64-bit number')
    checks.equal(client.incr('missing', 1), None, 'incr of a missing key is None')
    checks.equal(client.decr('missing', 1), None, 'decr of a missing key is None')
    client.set('word', b'word')
    checks.raises(MemcacheClientError, lambda: client.incr('word', 1), 'incr of a word is a client error')
    checks.equal(client.get('word'), b'word', 'and leaves it alone')


def expiry():
    checks.equal(client.set('soon', b'v', expire=100), True, 'set with a time to live')
    checks.equal(client.get('soon'), b'v', 'it is there before its time')
    for seconds in (-1, ALREADY_DEAD):
        checks.equal(client.set('dead', b'v', expire=seconds), True, f'set with expiry {seconds} is accepted')
        checks.equal(client.get('dead'), None, f'a value with expiry {seconds} is never seen')
        checks.equal(client.add('dead', b'v'), True, f'add stores in the place of one that expired with {seconds}')
    checks.equal(client.touch('soon', expire=0), True, 'touch finds the key')
    checks.equal(client.touch('missing', expire=0), False, 'touch of a missing key is refused')
    checks.equal(client.touch('soon', expire=-1), True, 'touch with a negative expiry is accepted')
    checks.equal(client.get('soon'), None, 'and ends the value')
    checks.equal(client.set('past', b'v', expire=2592001), True, 'more than 30 days is a date, here in 1970')
    checks.equal(client.get('past'), None, 'a date in the past is expired')


def noreply():
    quiet = connected(default_noreply=True)
    checks.equal(quiet.set('quiet', b'1'), True, 'set with noreply')
    checks.equal(quiet.add('quiet', b'2'), True, 'add with noreply is not told that it failed')
    checks.equal(quiet.append('quiet', b'0'), True, 'append with noreply')
    checks.equal(quiet.incr('quiet', 5, noreply=True), None, 'incr with noreply')
    checks.equal(quiet.touch('quiet', 100), True, 'touch with noreply')
    checks.equal(quiet.get('quiet'), b'15', 'all but the refused one took effect, in order')
    checks.equal(quiet.set_many({f'quiet-{i}': b'v' for i in range(300)}), [], 'set_many with noreply')
    checks.equal(len(quiet.get_many([f'quiet-{i}' for i in range(300)])), 300, 'all of them are stored')
    checks.equal(quiet.delete('quiet'), True, 'delete with noreply')
    checks.equal(quiet.get('quiet'), None, 'the key is gone')
    checks.equal(quiet.set('quiet-large', LARGE), True, 'a large value with noreply')
    checks.equal(quiet.get('quiet-large'), LARGE, 'it is stored')
    checks.equal(quiet.flush_all(), True, 'flush_all with noreply')
    checks.equal(quiet.get('quiet-large'), None, 'everything is gone')
    quiet.quit()


def administration():
    before = client.stats()
    client.set_many({'a': b'1', 'b': b'2'})
    stats = client.stats()
    checks.equal(stats[b'total_items'] - before[b'total_items'], 2, 'stats counts what was stored')
    checks.true(stats[b'curr_items'] >= 2, 'stats counts what is there')
    checks.true(stats[b'pid'] > 0 and stats[b'uptime'] >= 0, 'stats has a pid and an uptime')
    checks.true(stats[b'cmd_get'] >= stats[b'get_hits'] > 0, 'stats counts gets and hits')
    checks.equal(client.stats('settings')[b'maxbytes'], 64 * 1024 * 1024, 'stats settings has the size of the memory')
    checks.true(len(client.stats('slabs')) > 10, 'stats slabs has lines')
    checks.true(any(name.endswith(b':number') for name in client.stats('items')), 'stats items has lines')
    checks.true(client.version().startswith(b'1.6.'), 'version is of the 1.6 series')
    checks.equal(client.cache_memlimit(64), True, 'cache_memlimit is accepted')
    checks.equal(client.flush_all(), True, 'flush_all answers')
    checks.equal(client.get('a'), None, 'flush_all takes everything away')
    client.set('b', b'1')
    checks.equal(client.flush_all(delay=100), True, 'flush_all with a delay answers')
    checks.equal(client.get('b'), b'1', 'and takes nothing away before its time')


def objects():
    pickling = connected(serde=pickle_serde)
    original = {'list': [1, 2.5, None], 'text': 'ü', 'bytes': b'\0\xff', 'tuple': (1, 'a')}
    pickling.set('object', original)
    checks.equal(pickling.get('object'), original, 'a pickled object comes back, so flags do too')
    pickling.set('count', 41)
    checks.equal(pickling.get('count'), 41, 'an int comes back as an int')
    pickling.set('text', 'text')
    checks.equal(pickling.get('text'), 'text', 'a str comes back as a str')
    pickling.close()


def other_clients():
    pooled = connected(PooledClient, max_pool_size=4)
    checks.equal(pooled.set('pooled', b'v'), True, 'the pooled client sets')
    checks.equal(pooled.get_many(['pooled', 'missing']), {'pooled': b'v'}, 'the pooled client gets')
    pooled.close()
    hashing = HashClient([address], default_noreply=False, use_pooling=True, tls_context=tls_context)
    checks.equal(hashing.set_many({'h1': b'1', 'h2': b'2'}), [], 'the hashing client sets')
    checks.equal(hashing.get_many(['h1', 'h2', 'missing']), {'h1': b'1', 'h2': b'2'}, 'the hashing client gets')
    checks.equal(hashing.delete('h1'), True, 'the hashing client deletes')
    hashing.close()


client.flush_all()
for part in (storing, values, keys, many, cas, arithmetic, expiry, noreply, administration, objects, other_clients):
    part()
client.quit()
checks.done()
