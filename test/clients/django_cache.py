"""Django's cache API over one of its memcached backends. Arguments: the server's address (it is flushed) and the backend."""

import asyncio
import sys
import warnings

import django
from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.base import InvalidCacheKey

from checks import Checks

warnings.simplefilter('ignore')  # MemcachedCache is deprecated, which is no matter here

LARGE = bytes(range(256)) * 3600  # 900 KiB of every byte
TOO_LARGE = b'x' * (1024 * 1024)

address, backend = sys.argv[1:]
location = f'unix:{address}' if address.startswith('/') else address
checks = Checks()


def cache_settings(**extra):
    return {'BACKEND': f'django.core.cache.backends.memcached.{backend}', 'LOCATION': location, **extra}


settings.configure(CACHES={
    'default': cache_settings(),
    'prefixed': cache_settings(KEY_PREFIX='shop', VERSION=7),
    'brief': cache_settings(TIMEOUT=0),
    'forever': cache_settings(TIMEOUT=None),
})
django.setup()
cache = caches['default']


def setting_and_getting():
    checks.equal(cache.set('key', 'value'), None, 'set')
    checks.equal(cache.get('key'), 'value', 'get returns the value')
    checks.equal(cache.get('missing'), None, 'get of a missing key is None')
    checks.equal(cache.get('missing', 'other'), 'other', 'get of a missing key returns the default')
    checks.equal(cache.add('key', 'second'), False, 'add refuses a key that exists')
    checks.equal(cache.add('new', 'first'), True, 'add stores a new key')
    checks.equal(cache.has_key('key'), True, 'has_key finds the key')
    checks.equal('key' in cache, True, 'in finds the key')
    checks.equal('missing' in cache, False, 'in does not find a missing key')
    checks.equal(cache.delete('key'), True, 'delete finds the key')
    checks.equal(cache.delete('key'), False, 'delete of a missing key is refused')
    checks.equal(cache.get('key'), None, 'a deleted key is gone')


def get_or_set():
    checks.equal(cache.get_or_set('computed', lambda: [1, 2]), [1, 2], 'get_or_set computes a missing value')
    checks.equal(cache.get_or_set('computed', lambda: 'again'), [1, 2], 'get_or_set returns the stored value')
    checks.equal(cache.get_or_set('plain', 'value', timeout=100), 'value', 'get_or_set takes a plain value')


def values():
    for name, value in {
        'str': 'grüße, 世界, 🙂',
        'empty str': '',
        'bytes': bytes(range(256)),
        'int': 2 ** 63,
        'float': 1.5,
        'line ends': 'a\r\nEND\r\n\r\nb\n',
        'object': {'list': [1, 2.5, None], 'text': 'ü', 'tuple': (1, 'a'), 'set': {1, 2}},
        'large': LARGE,
    }.items():
        cache.set('value', value)
        checks.equal(cache.get('value'), value, f'a value comes back: {name}')
    cache.set('too-large', 'old')
    try:
        cache.set('too-large', TOO_LARGE)
    except Exception:
        pass  # some backends raise, others only do not store
    checks.equal(cache.get('too-large'), None, 'a value that is too large takes the old one away')
    checks.equal(cache.get('value'), LARGE, 'and other values stay')


def timeouts():
    cache.set('forever', 1, timeout=None)
    checks.equal(cache.get('forever'), 1, 'timeout=None stores')
    for timeout in (0, -1, -100):
        cache.set('dead', 1, timeout=timeout)
        checks.equal(cache.get('dead'), None, f'timeout={timeout} is expired at once')
        checks.equal(cache.add('dead', 1, timeout=timeout), True, f'add with timeout={timeout} succeeds')
        checks.equal(cache.get('dead'), None, f'and stores nothing that is seen')
    cache.set('year', 1, timeout=365 * 24 * 3600)
    checks.equal(cache.get('year'), 1, 'a timeout of a year, sent as a date, stores')
    caches['brief'].set('brief', 1)
    checks.equal(caches['brief'].get('brief'), None, 'TIMEOUT 0 in the settings is expired at once')
    caches['forever'].set('forever', 2)
    checks.equal(caches['forever'].get('forever'), 2, 'TIMEOUT None in the settings stores')


def touch():
    cache.set('touched', 1, timeout=100)
    checks.equal(cache.touch('touched', 200), True, 'touch finds the key')
    checks.equal(cache.touch('touched'), True, 'touch with the default timeout')
    checks.equal(cache.touch('touched', None), True, 'touch with timeout None')
    checks.equal(cache.get('touched'), 1, 'the value is still there')
    checks.equal(cache.touch('missing', 200), False, 'touch of a missing key is refused')
    checks.equal(cache.touch('touched', 0), True, 'touch with timeout 0 is accepted')
    checks.equal(cache.get('touched'), None, 'and ends the value')
    cache.set('touched', 1)
    checks.equal(cache.touch('touched', -1), True, 'touch with a negative timeout is accepted')
    checks.equal(cache.get('touched'), None, 'and ends the value')


def many():
    wanted = {f'many-{i}': i for i in range(200)}
    asked = list(wanted) + ['many-missing']
    checks.equal(cache.set_many(wanted), [], 'set_many stores 200 keys')
    checks.equal(cache.get_many(asked), wanted, 'get_many returns those that exist')
    checks.equal(cache.delete_many([f'many-{i}' for i in range(0, 200, 2)]), None, 'delete_many')
    checks.equal(len(cache.get_many(asked)), 100, 'delete_many took half of them away')
    checks.equal(cache.set_many({'a': 1, 'b': 2}, timeout=0), [], 'set_many with timeout 0 is accepted')
    checks.equal(cache.get_many(['a', 'b']), {}, 'and stores nothing that is seen')
    checks.equal(cache.set_many({}), [], 'set_many of nothing')
    checks.equal(cache.get_many([]), {}, 'get_many of nothing')


def arithmetic():
    cache.set('number', 10)
    checks.equal(cache.incr('number'), 11, 'incr adds one')
    checks.equal(cache.incr('number', 10), 21, 'incr adds ten')
    checks.equal(cache.incr('number', -1), 20, 'incr takes a negative number')
    checks.equal(cache.decr('number'), 19, 'decr subtracts one')
    checks.equal(cache.decr('number', 10), 9, 'decr subtracts ten')
    checks.equal(cache.get('number'), 9, 'a number that got shorter is still a number')
    checks.raises(ValueError, lambda: cache.incr('missing'), 'incr of a missing key is a ValueError')
    checks.raises(ValueError, lambda: cache.decr('missing'), 'decr of a missing key is a ValueError')


def versions_and_prefixes():
    cache.set('versioned', 'one', version=1)
    cache.set('versioned', 'two', version=2)
    checks.equal(cache.get('versioned'), 'one', 'version 1 is the default')
    checks.equal(cache.get('versioned', version=2), 'two', 'version 2 is another value')
    checks.equal(cache.get_many(['versioned'], version=2), {'versioned': 'two'}, 'get_many of version 2')
    cache.delete('versioned', version=2)
    checks.equal(cache.incr_version('versioned'), 2, 'incr_version returns the new version')
    checks.equal(cache.get('versioned'), None, 'the value is no longer version 1')
    checks.equal(cache.get('versioned', version=2), 'one', 'but version 2')
    checks.equal(cache.decr_version('versioned', version=2), 1, 'decr_version brings it back')
    checks.equal(cache.get('versioned'), 'one', 'as version 1')
    checks.raises(ValueError, lambda: cache.incr_version('missing'), 'incr_version of a missing key is a ValueError')
    prefixed = caches['prefixed']
    prefixed.set('versioned', 'of the shop')
    checks.equal(prefixed.get('versioned'), 'of the shop', 'a prefix and a version in the settings')
    checks.equal(cache.get('versioned'), 'one', 'keep caches apart')
    checks.equal(prefixed.get('versioned', version=1), None, 'and versions too')


def keys():
    key = 'k' * (250 - len(':1:'))
    cache.set(key, 1)
    checks.equal(cache.get(key), 1, 'a key of 250 bytes')
    checks.raises(InvalidCacheKey, lambda: cache.set(key + 'k', 1), 'a key of 251 bytes is invalid')
    cache.set('ключ-键', 1)
    checks.equal(cache.get_many(['ключ-键']), {'ключ-键': 1}, 'a key in UTF-8')


def clear():
    cache.set('key', 1)
    checks.equal(cache.clear(), None, 'clear')
    checks.equal(cache.get('key'), None, 'clear takes everything away')
    checks.equal(caches['prefixed'].get('versioned'), None, 'from all caches of the server')
    cache.set('key', 2)
    checks.equal(cache.get('key'), 2, 'a value stored after clear is there')
    cache.close()
    checks.equal(cache.get('key'), 2, 'also after close')


async def async_methods():
    await cache.aset('key', 'value', timeout=100)
    checks.equal(await cache.aget('key'), 'value', 'aget returns what aset stored')
    checks.equal(await cache.aget('missing', 'other'), 'other', 'aget returns the default')
    checks.equal(await cache.aadd('key', 'second'), False, 'aadd refuses a key that exists')
    checks.equal(await cache.aadd('async-new', 1), True, 'aadd stores a new key')
    checks.equal(await cache.aget_or_set('async-computed', lambda: 5), 5, 'aget_or_set')
    checks.equal(await cache.aset_many({'a': 1, 'b': 2}), [], 'aset_many')
    checks.equal(await cache.aget_many(['a', 'b', 'missing']), {'a': 1, 'b': 2}, 'aget_many')
    await cache.adelete_many(['a'])
    checks.equal(await cache.aget_many(['a', 'b']), {'b': 2}, 'adelete_many')
    checks.equal(await cache.atouch('b', 100), True, 'atouch')
    checks.equal(await cache.ahas_key('b'), True, 'ahas_key')
    checks.equal(await cache.aincr('b'), 3, 'aincr')
    checks.equal(await cache.adecr('b', 2), 1, 'adecr')
    checks.equal(await cache.aincr_version('b'), 2, 'aincr_version')
    checks.equal(await cache.adecr_version('b', version=2), 1, 'adecr_version')
    checks.equal(await cache.adelete('b'), True, 'adelete')
    await cache.aset('dead', 1, timeout=0)
    checks.equal(await cache.aget('dead'), None, 'aset with timeout 0')
    await cache.aclear()
    checks.equal(await cache.aget('key'), None, 'aclear')


cache.clear()
for part in (setting_and_getting, get_or_set, values, timeouts, touch, many, arithmetic, versions_and_prefixes, keys, clear):
    part()
if hasattr(cache, 'aget'):
    asyncio.run(async_methods())
else:
    checks.skip('async methods', f'Django {django.__version__} has none')
checks.done()
