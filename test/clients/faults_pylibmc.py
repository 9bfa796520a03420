"""pylibmc, while a test has faults happen: see faults.long.test.ts, which says what happens to which key.

Arguments: the server's address, text or binary.
"""

import sys

import pylibmc

from checks import Checks

address, protocol = sys.argv[1:]
checks = Checks()


def connected(**behaviors):
    return pylibmc.Client([address], binary=protocol == 'binary', behaviors={'connect_timeout': 20000, 'receive_timeout': 20000000, **behaviors})


client = connected()
for key in ['missed', 'evicted', 'torn', 'slow', 'other']:
    checks.equal(client.set(f'first:{key}', 'value'), True, f'{key} is stored')

if protocol == 'text':
    checks.raises(pylibmc.Error, lambda: client.set('refused', 'value'), 'SERVER_ERROR is raised')
else:
    checks.equal(client.set('refused', 'value'), False, 'the status is no success')
checks.equal(connected().get('first:other'), 'value', 'others can be stored and read')
client = connected()
checks.equal(client.get('first:missed'), None, 'a miss')
checks.equal(client.get_multi(['first:missed', 'first:other']), {'first:other': 'value'}, 'a miss among others')
checks.equal(client.get('first:evicted'), None, 'an evicted item is a miss')
if protocol == 'text':
    checks.raises(pylibmc.Error, lambda: client.get('first:torn'), 'a torn value is raised')
else:
    checks.equal(client.get('first:torn'), None, 'a torn value is a miss')
checks.raises(pylibmc.Error, lambda: connected(receive_timeout=200000, retry_timeout=0).get('first:slow'), 'a late answer is a timeout')
checks.done()
