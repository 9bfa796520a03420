"""pymemcache, while a test has faults happen: see faults.long.test.ts, which says what happens to which key.

Argument: the server's address.
"""

import socket
import sys

from pymemcache.client.base import Client
from pymemcache.client.retrying import RetryingClient
from pymemcache.exceptions import MemcacheServerError, MemcacheUnexpectedCloseError

from checks import Checks

address = sys.argv[1]
checks = Checks()


def connected(timeout=20):
    return Client(address, default_noreply=False, connect_timeout=20, timeout=timeout)


client = connected()
for key in ['refused', 'missed', 'evicted', 'torn', 'slow', 'dropped', 'reset', 'twice', 'other']:
    checks.equal(client.set(f'first:{key}', b'value'), True, f'{key} is stored')

checks.raises(MemcacheServerError, lambda: client.set('refused', b'value'), 'SERVER_ERROR is raised')
checks.equal(client.get('first:other'), b'value', 'and the connection goes on')
checks.equal(client.get_many(['first:missed', 'first:other']), {'first:other': b'value'}, 'a miss')
checks.equal(client.get('first:evicted'), None, 'an evicted item is a miss')
checks.equal(client.add('first:evicted', b'new'), True, 'and can be added')
checks.raises(MemcacheUnexpectedCloseError, lambda: client.get('first:torn'), 'a torn value')
checks.equal(client.get('first:torn'), b'value', 'a new connection gets it whole')
checks.raises(socket.timeout, lambda: connected(0.2).get('first:slow'), 'a late answer is a timeout')
checks.equal(client.get('first:slow'), b'value', 'once')
checks.raises(socket.timeout, lambda: connected(0.2).get('first:dropped'), 'so is one that never comes')
resetting = connected()
resetting.get('ask-for-reset')
checks.raises(ConnectionResetError, lambda: resetting.get('reset'), 'a reset')

retrying = RetryingClient(connected(), attempts=3, retry_for=[MemcacheServerError])
checks.equal(retrying.get('first:twice'), b'value', 'RetryingClient succeeds at its third try')
checks.done()
