"""python-binary-memcached: every operation.

Arguments: the server's address (it is flushed), and for TLS the file of the authority that vouches for the server.
"""

import ssl
import sys

import bmemcached
from bmemcached.exceptions import MemcachedException

from checks import Checks

LARGE = bytes(range(256)) * 3600  # 900 KiB of every byte
TOO_LARGE = b'x' * (1024 * 1024)


class Stored:
    """Compression that leaves values as they are, so that the server gets all of them."""

    compress = staticmethod(lambda value, level=-1: value)
    decompress = staticmethod(lambda value: value)


address, *authority = sys.argv[1:]
tls_context = ssl.create_default_context(cafile=authority[0]) if authority else None
checks = Checks()


def connected(**options):
    return bmemcached.Client((address,), socket_timeout=20, tls_context=tls_context, **options)


client = connected(compression=Stored)


def storing():
    checks.equal(client.set('key', 'value'), True, 'set stores a value')
    checks.equal(client.get('key'), 'value', 'get returns it')
    checks.equal(client.get('missing'), None, 'get of a missing key is None')
    checks.equal(client.get('missing', 'other'), 'other', 'get of a missing key returns the default')
    checks.equal(client.add('key', 'second'), False, 'add refuses a key that exists')
    checks.equal(client.add('new', 'first'), True, 'add stores a new key')
    checks.equal(client.replace('missing', 'x'), False, 'replace refuses a missing key')
    checks.equal(client.replace('key', 'replaced'), True, 'replace stores over a key that exists')
    checks.equal(client.get('key'), 'replaced', 'the replaced value is there')
    checks.equal(client.delete('key'), True, 'delete finds the key')
    checks.equal(client.get('key'), None, 'a deleted key is gone')


def values():
    for name, value in {
        'bytes': bytes(range(256)),
        'empty': b'',
        'str': 'grüße, 世界, 🙂',
        'int': 42,
        'object': {'list': [1, 2.5, None], 'text': 'ü', 'tuple': (1, 'a')},
        '900 KiB': LARGE,
    }.items():
        checks.equal(client.set('value', value), True, f'a value is stored: {name}')
        checks.equal(client.get('value'), value, f'a value comes back: {name}')
    compressing = connected()
    compressing.set('compressed', b'text ' * 100_000)
    checks.equal(compressing.get('compressed'), b'text ' * 100_000, 'a compressed value comes back')
    checks.raises(MemcachedException, lambda: client.set('too-large', TOO_LARGE), 'a value of 1 MiB is refused')
    checks.equal(client.get('too-large'), None, 'and not there')
    checks.equal(client.get('value'), LARGE, 'other values stay')


def keys():
    for name, key in {
        'of 250 bytes': 'k' * 250,
        'with spaces': 'two words',
        'with line ends': 'a\r\nb\n',
        'with a NUL': 'a\0b',
        'in UTF-8': 'ключ-键',
    }.items():
        checks.equal(client.set(key, 'v'), True, f'a key {name} is stored')
        checks.equal(client.get_multi([key]), {key: 'v'}, f'a key {name} is found')
    checks.raises(MemcachedException, lambda: connected().set('k' * 251, 'v'), 'the server refuses 251 bytes')


def many():
    wanted = {f'many-{i}': f'value-{i}' for i in range(500)}
    asked = list(wanted) + ['many-missing']
    checks.equal(client.set_multi(wanted), [], 'set_multi stores 500 keys')
    checks.equal(client.get_multi(asked), wanted, 'get_multi returns the 500 that exist')
    checks.equal(client.delete_multi([f'many-{i}' for i in range(0, 500, 2)]), True, 'delete_multi deletes half')
    checks.equal(len(client.get_multi(asked)), 250, 'the other half stays')
    only_new = {('many-1', 0): 'x', ('many-new', 0): 'x'}
    checks.equal(client.set_multi(only_new), [('many-1', 0)], 'set_multi with the number 0 tells which key exists')


def cas():
    client.set('cas', 'one')
    value, token = client.gets('cas')
    checks.equal(value, 'one', 'gets returns the value')
    checks.equal(client.cas('cas', 'two', token), True, 'cas with the right number stores')
    checks.equal(client.cas('cas', 'three', token), False, 'cas with an old number is refused')
    checks.equal(client.get('cas'), 'two', 'the refused value was not stored')
    checks.equal(client.delete('cas', cas=token), False, 'delete with an old number is refused')
    checks.equal(client.delete('cas', cas=client.gets('cas')[1]), True, 'delete with the right number deletes')
    checks.equal(client.cas('cas', 'new', token), False, 'cas of a missing key is refused')
    client.set('cas', 'three')
    found = client.get_multi(['cas', 'missing'], get_cas=True)
    checks.equal(found, {'cas': client.gets('cas')}, 'get_multi returns the number')


def arithmetic():
    checks.equal(client.incr('number', 5), 0, 'incr of a missing key makes it, with its initial value')
    checks.equal(client.incr('number', 5), 5, 'incr returns the sum')
    checks.equal(client.decr('number', 3), 2, 'decr returns the difference')
    checks.equal(client.decr('number', 100), 0, 'decr stops at zero')
    checks.equal(client.incr('number', 2 ** 64 - 1), 2 ** 64 - 1, 'incr reaches the largest 64-bit number')
    checks.equal(client.incr('number', 1), 0, 'incr wraps at 64 bits')


def expiry():
    checks.equal(client.set('soon', 'v', time=100), True, 'set with a time to live')
    checks.equal(client.get('soon'), 'v', 'it is there before its time')
    checks.equal(client.set('past', 'v', time=2592001), True, 'more than 30 days is a date, here in 1970')
    checks.equal(client.get('past'), None, 'a date in the past is expired')


def administration():
    before = int(client.stats()[address]['total_items'])
    client.set_multi({'a': '1', 'b': '2'})
    stats = client.stats()[address]
    checks.equal(int(stats['total_items']) - before, 2, 'stats counts what was stored')
    checks.true(stats['version'].startswith(b'1.6.'), 'the version is of the 1.6 series')
    checks.equal(stats['limit_maxbytes'], b'67108864', 'stats has the size of the memory')
    checks.equal(client.stats('settings')[address]['maxconns'], b'1024', 'stats with a key has other tables')
    checks.equal(client.flush_all(), True, 'flush_all answers')
    checks.equal(client.get_multi(['a', 'b']), {}, 'flush_all takes everything away')
    client.disconnect_all()
    checks.equal(client.set('again', 'v'), True, 'after a disconnect the client connects again')


client.flush_all()
for part in (storing, values, keys, many, cas, arithmetic, expiry, administration):
    part()
client.disconnect_all()
checks.done()
