"""python-memcached (module memcache): every operation. Argument: the server's address; it is flushed."""

import sys

import memcache

from checks import Checks

LARGE = bytes(range(256)) * 3600  # 900 KiB of every byte
TOO_LARGE = b'x' * (1024 * 1024)

address = sys.argv[1]
address = f'unix:{address}' if address.startswith('/') else address
checks = Checks()
client = memcache.Client([address], cache_cas=True, socket_timeout=20)


def storing():
    checks.equal(client.set('key', 'value'), True, 'set stores a value')
    checks.equal(client.get('key'), 'value', 'get returns it')
    checks.equal(client.get('missing'), None, 'get of a missing key is None')
    checks.equal(client.add('key', 'second'), False, 'add refuses a key that exists')
    checks.equal(client.add('new', 'first'), True, 'add stores a new key')
    checks.equal(client.replace('missing', 'x'), False, 'replace refuses a missing key')
    checks.equal(client.replace('key', 'replaced'), True, 'replace stores over a key that exists')
    checks.equal(client.append('key', '-end'), True, 'append to a key that exists')
    checks.equal(client.prepend('key', 'start-'), True, 'prepend to a key that exists')
    checks.equal(client.get('key'), 'start-replaced-end', 'append and prepend put the value together')
    checks.equal(client.append('missing', 'x'), False, 'append refuses a missing key')
    checks.equal(client.delete('key'), 1, 'delete answers')
    checks.equal(client.get('key'), None, 'a deleted key is gone')
    checks.equal(client.delete('key'), 1, 'delete of a missing key counts as done')


def values():
    for name, value in {
        'bytes': bytes(range(256)),
        'line ends': b'a\r\nEND\r\n\r\nb\n',
        'empty': b'',
        'str': 'grüße, 世界, 🙂',
        'int': 2 ** 63,
        'float': 1.5,
        'object': {'list': [1, 2.5, None], 'text': 'ü', 'tuple': (1, 'a')},
    }.items():
        client.set('value', value)
        checks.equal(client.get('value'), value, f'a value comes back: {name}')
    client.set('large', LARGE)
    checks.equal(client.get('large'), LARGE, 'a value of 900 KiB comes back')
    client.set('compressed', LARGE, min_compress_len=1000)
    checks.equal(client.get('compressed'), LARGE, 'a compressed value comes back')
    # The client's own limit put up, the server has to refuse, and the connection to go on.
    careless = memcache.Client([address], server_max_value_length=4 * 1024 * 1024)
    client.set('too-large', 'old')
    checks.equal(careless.set('too-large', TOO_LARGE), False, 'a value of 1 MiB is refused')
    checks.equal(careless.get('too-large'), None, 'a value that is too large takes the old one away')
    checks.equal(careless.get('large'), LARGE, 'other values stay')


def keys():
    checks.equal(client.set('k' * 250, 'v'), True, 'a key of 250 bytes is stored')
    checks.equal(client.get('k' * 250), 'v', 'a key of 250 bytes is found')
    checks.raises(client.MemcachedKeyLengthError, lambda: client.set('k' * 251, 'v'), 'the client refuses 251 bytes')
    careless = memcache.Client([address], server_max_key_length=0)
    checks.equal(careless.set('k' * 251, 'v'), False, 'the server refuses 251 bytes')
    checks.equal(client.set('ключ-键', 'v'), True, 'a key in UTF-8 is stored')
    checks.equal(client.get('ключ-键'), 'v', 'a key in UTF-8 is found')


def many():
    wanted = {f'many-{i}': i for i in range(500)}
    asked = list(wanted) + ['many-missing']
    checks.equal(client.set_multi(wanted), [], 'set_multi stores 500 keys')
    checks.equal(client.get_multi(asked), wanted, 'get_multi returns the 500 that exist')
    checks.equal(client.delete_multi([f'many-{i}' for i in range(0, 500, 2)]), 1, 'delete_multi deletes half')
    checks.equal(len(client.get_multi(asked)), 250, 'the other half stays')
    checks.equal(client.set_multi({'a': 1, 'b': 2}, key_prefix='pre-'), [], 'set_multi with a prefix')
    checks.equal(client.get_multi(['a', 'b'], key_prefix='pre-'), {'a': 1, 'b': 2}, 'get_multi with a prefix')
    checks.equal(client.set_multi({'a': 1, 'large': TOO_LARGE, 'b': 2}), ['large'], 'set_multi tells which key it refused')


def cas():
    client.set('cas', 'one')
    other = memcache.Client([address])
    checks.equal(client.gets('cas'), 'one', 'gets returns the value')
    checks.equal(client.cas('cas', 'two'), True, 'cas with the right number stores')
    client.gets('cas')
    other.set('cas', 'three')
    checks.equal(client.cas('cas', 'four'), False, 'cas after another client stored is refused')
    checks.equal(client.get('cas'), 'three', 'the refused value was not stored')
    client.reset_cas()
    checks.equal(client.gets('missing'), None, 'gets of a missing key is None')


def arithmetic():
    client.set('number', 10)
    checks.equal(client.incr('number', 5), 15, 'incr returns the sum')
    checks.equal(client.decr('number', 6), 9, 'decr returns the difference')
    checks.equal(client.get('number'), 9, 'a number that got shorter is still a number')
    checks.equal(client.decr('number', 100), 0, 'decr stops at zero')
    client.set('number', 18446744073709551615)
    checks.equal(client.incr('number'), 0, 'incr wraps at 64 bits')
    checks.equal(client.incr('missing'), None, 'incr of a missing key is None')
    checks.equal(client.decr('missing'), None, 'decr of a missing key is None')


def expiry():
    checks.equal(client.set('soon', 'v', time=100), True, 'set with a time to live')
    checks.equal(client.get('soon'), 'v', 'it is there before its time')
    for seconds in (-1, 4294967295):
        checks.equal(client.set('dead', 'v', time=seconds), True, f'set with expiry {seconds} is accepted')
        checks.equal(client.get('dead'), None, f'a value with expiry {seconds} is never seen')
    checks.equal(client.touch('soon', 0), 1, 'touch finds the key')
    checks.equal(client.touch('missing', 0), 0, 'touch of a missing key is refused')
    checks.equal(client.touch('soon', -1), 1, 'touch with a negative expiry is accepted')
    checks.equal(client.get('soon'), None, 'and ends the value')


def noreply():
    for i in range(300):
        client.set(f'quiet-{i}', i, noreply=True)
    client.delete('quiet-0', noreply=True)
    client.incr('quiet-1', 41, noreply=True)
    client.add('quiet-2', 'refused', noreply=True)
    checks.equal(client.get('quiet-0'), None, 'delete with noreply took effect')
    checks.equal(client.get('quiet-1'), 42, 'incr with noreply took effect')
    checks.equal(client.get('quiet-2'), 2, 'add with noreply was refused without a word')
    checks.equal(len(client.get_multi([f'quiet-{i}' for i in range(300)])), 299, 'sets with noreply took effect')
    checks.equal(client.set_multi({'quiet-a': 1, 'quiet-b': 2}, noreply=True), [], 'set_multi with noreply')
    checks.equal(client.get_multi(['quiet-a', 'quiet-b']), {'quiet-a': 1, 'quiet-b': 2}, 'took effect')


def administration():
    before = int(client.get_stats()[0][1]['total_items'])
    client.set_multi({'a': 1, 'b': 2})
    stats = client.get_stats()[0][1]
    checks.equal(int(stats['total_items']) - before, 2, 'stats counts what was stored')
    checks.true(stats['version'].startswith('1.6.'), 'the version is of the 1.6 series')
    checks.equal(client.get_stats('settings')[0][1]['maxbytes'], '67108864', 'stats settings has the size of the memory')
    checks.true('1:chunk_size' in client.get_stats('slabs')[0][1], 'stats slabs has lines')
    client.flush_all()
    checks.equal(client.get_multi(['a', 'b']), {}, 'flush_all takes everything away')


client.flush_all()
for part in (storing, values, keys, many, cas, arithmetic, expiry, noreply, administration):
    part()
client.disconnect_all()
checks.done()
