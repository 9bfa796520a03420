<?php
// PHP's memcached extension with SASL. Argument: the address of a server that knows anna, with the password secret.

declare(strict_types=1);

require __DIR__ . '/checks.php';

[$host, $port] = explode(':', $argv[1]);

function connected(?string $password): Memcached {
    global $host, $port;
    $cache = new Memcached();
    $cache->setOption(Memcached::OPT_BINARY_PROTOCOL, true);
    if ($password !== null) $cache->setSaslAuthData('anna', $password);
    $cache->addServer($host, (int) $port);
    return $cache;
}

$cache = connected('secret');
answers($cache, $cache->set('key', 'value'), true, Memcached::RES_SUCCESS, 'with the right password set stores');
answers($cache, $cache->get('key'), 'value', Memcached::RES_SUCCESS, 'and get finds it');
$cache = connected('wrong');
answers($cache, $cache->set('key', 'x'), false, Memcached::RES_AUTH_FAILURE, 'with a wrong password nothing is stored');
$cache = connected(null);
answers($cache, $cache->set('key', 'x'), false, Memcached::RES_AUTH_FAILURE, 'nor without one');
done();
