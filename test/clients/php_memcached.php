<?php
// PHP's memcached extension (libmemcached). Arguments: the server's address (it is flushed), and the protocol: text or binary.

declare(strict_types=1);

require __DIR__ . '/checks.php';

[, $address, $protocol] = $argv;
$isBinary = $protocol === 'binary';

// libmemcached has different codes for the same refusals in the two protocols, and in binary a time of -1 is a date in 2106.
define('EXISTS_ALREADY', $isBinary ? Memcached::RES_DATA_EXISTS : Memcached::RES_NOTSTORED);
define('NOTHING_TO_REPLACE', $isBinary ? Memcached::RES_NOTFOUND : Memcached::RES_NOTSTORED);
define('NOT_A_NUMBER', $isBinary ? Memcached::RES_UNKNOWN_READ_FAILURE : Memcached::RES_CLIENT_ERROR);
define('ALREADY_DEAD', $isBinary ? 2592001 : -1);

function connected(array $options = []): Memcached {
    global $address, $isBinary;
    $cache = new Memcached();
    $cache->setOptions($options + [
        Memcached::OPT_BINARY_PROTOCOL => $isBinary,
        Memcached::OPT_COMPRESSION => false,
        Memcached::OPT_TCP_NODELAY => true,
    ]);
    [$host, $port] = str_starts_with($address, '/') ? [$address, 0] : explode(':', $address);
    $cache->addServer($host, (int) $port);
    return $cache;
}

function storing(Memcached $cache): void {
    answers($cache, $cache->set('key', 'value'), true, Memcached::RES_SUCCESS, 'set stores a value');
    answers($cache, $cache->get('key'), 'value', Memcached::RES_SUCCESS, 'get returns it');
    answers($cache, $cache->get('missing'), false, Memcached::RES_NOTFOUND, 'get of a missing key is not found');
    answers($cache, $cache->add('key', 'second'), false, EXISTS_ALREADY, 'add refuses a key that exists');
    answers($cache, $cache->add('new', 'first'), true, Memcached::RES_SUCCESS, 'add stores a new key');
    answers($cache, $cache->replace('missing', 'x'), false, NOTHING_TO_REPLACE, 'replace refuses a missing key');
    answers($cache, $cache->replace('key', 'replaced'), true, Memcached::RES_SUCCESS, 'replace stores over a key that exists');
    answers($cache, $cache->append('key', '-end'), true, Memcached::RES_SUCCESS, 'append to a key that exists');
    answers($cache, $cache->prepend('key', 'start-'), true, Memcached::RES_SUCCESS, 'prepend to a key that exists');
    answers($cache, $cache->get('key'), 'start-replaced-end', Memcached::RES_SUCCESS, 'append and prepend put the value together');
    answers($cache, $cache->append('missing', 'x'), false, Memcached::RES_NOTSTORED, 'append refuses a missing key');
    answers($cache, $cache->delete('key'), true, Memcached::RES_SUCCESS, 'delete finds the key');
    answers($cache, $cache->delete('key'), false, Memcached::RES_NOTFOUND, 'delete of a missing key is refused');
}

function values(Memcached $cache): void {
    $everyByte = implode('', array_map('chr', range(0, 255)));
    foreach ([
        'every byte' => $everyByte,
        'line ends' => "a\r\nEND\r\n\r\nb\n",
        'empty' => '',
        'int' => 42,
        'float' => 1.5,
        'true' => true,
        'null' => null,
        'array' => ['list' => [1, 2.5, null], 'text' => 'ü'],
        '900 KiB' => str_repeat($everyByte, 3600),
    ] as $name => $value) {
        $cache->set('value', $value);
        answers($cache, $cache->get('value'), $value, Memcached::RES_SUCCESS, "a value comes back: $name");
    }
    $cache->set('too-large', 'old');
    answers($cache, $cache->set('too-large', str_repeat('x', 1024 * 1024)), false, Memcached::RES_E2BIG, 'a value of 1 MiB is too big');
    answers($cache, $cache->get('too-large'), false, Memcached::RES_NOTFOUND, 'a value that is too large takes the old one away');
    $compressing = connected([Memcached::OPT_COMPRESSION => true]);
    $compressing->set('compressed', $long = str_repeat('text ', 100_000));
    answers($compressing, $compressing->get('compressed'), $long, Memcached::RES_SUCCESS, 'a compressed value comes back');
    answers($cache, $cache->set(str_repeat('k', 250), 'v'), true, Memcached::RES_SUCCESS, 'a key of 250 bytes is stored');
    answers($cache, $cache->get(str_repeat('k', 250)), 'v', Memcached::RES_SUCCESS, 'a key of 250 bytes is found');
    answers($cache, $cache->set(str_repeat('k', 251), 'v'), false, Memcached::RES_BAD_KEY_PROVIDED, 'the client refuses 251 bytes');
}

function many(Memcached $cache): void {
    $wanted = [];
    for ($i = 0; $i < 500; $i++) $wanted["many-$i"] = $i;
    answers($cache, $cache->setMulti($wanted), true, Memcached::RES_SUCCESS, 'setMulti stores 500 keys');
    same($cache->getMulti([...array_keys($wanted), 'many-missing'], Memcached::GET_PRESERVE_ORDER), [...$wanted, 'many-missing' => null], 'getMulti returns those that exist');
    $cache->getDelayed(['many-1', 'many-2'], true);
    same(array_column($cache->fetchAll(), 'value', 'key'), ['many-1' => 1, 'many-2' => 2], 'getDelayed and fetchAll');
    same($cache->deleteMulti(['many-1', 'many-missing']), ['many-1' => true, 'many-missing' => Memcached::RES_NOTFOUND], 'deleteMulti tells what it found');
}

function cas(Memcached $cache): void {
    $cache->set('cas', 'one');
    $found = $cache->get('cas', null, Memcached::GET_EXTENDED);
    same($found['value'], 'one', 'an extended get returns the value');
    answers($cache, $cache->cas($found['cas'], 'cas', 'two'), true, Memcached::RES_SUCCESS, 'cas with the right number stores');
    answers($cache, $cache->cas($found['cas'], 'cas', 'three'), false, Memcached::RES_DATA_EXISTS, 'cas with an old number is refused');
    answers($cache, $cache->cas($found['cas'], 'missing', 'x'), false, Memcached::RES_NOTFOUND, 'cas of a missing key is not found');
    same($cache->get('cas'), 'two', 'the refused value was not stored');
}

function arithmetic(Memcached $cache): void {
    $cache->set('number', 10);
    same($cache->increment('number', 5), 15, 'increment returns the sum');
    same($cache->decrement('number', 6), 9, 'decrement returns the difference');
    same($cache->get('number'), 9, 'a number that got shorter is still a number');
    same($cache->decrement('number', 100), 0, 'decrement stops at zero');
    answers($cache, $cache->increment('missing'), false, Memcached::RES_NOTFOUND, 'increment of a missing key is not found');
    $cache->set('word', 'word');
    answers($cache, $cache->increment('word'), false, NOT_A_NUMBER, 'increment of a word is refused');
    same($cache->get('word'), 'word', 'and leaves it alone');
}

function expiry(Memcached $cache): void {
    same($cache->set('soon', 'v', 100), true, 'set with a time to live');
    same($cache->get('soon'), 'v', 'it is there before its time');
    same($cache->set('dead', 'v', ALREADY_DEAD), true, 'an expiry in the past is accepted');
    answers($cache, $cache->get('dead'), false, Memcached::RES_NOTFOUND, 'and the value is never seen');
    answers($cache, $cache->touch('soon', 200), true, Memcached::RES_SUCCESS, 'touch finds the key');
    answers($cache, $cache->touch('missing', 200), false, Memcached::RES_NOTFOUND, 'touch of a missing key is refused');
    same($cache->touch('soon', ALREADY_DEAD), true, 'touch with an expiry in the past is accepted');
    answers($cache, $cache->get('soon'), false, Memcached::RES_NOTFOUND, 'and ends the value');
}

function noreply(): void {
    $quiet = connected([Memcached::OPT_NOREPLY => true]);
    for ($i = 0; $i < 300; $i++) $quiet->set("quiet-$i", $i);
    $quiet->delete('quiet-0');
    $keys = array_map(fn (int $i): string => "quiet-$i", range(0, 299));
    same(count($quiet->getMulti($keys)), 299, 'sets and delete with noreply took effect');
}

function buffering(): void {
    $buffering = connected([Memcached::OPT_BUFFER_WRITES => true]);
    for ($i = 0; $i < 300; $i++) $buffering->set("buffered-$i", $i);
    $keys = array_map(fn (int $i): string => "buffered-$i", range(0, 299));
    same(count($buffering->getMulti($keys)), 300, 'buffered sets took effect');
}

function administration(Memcached $cache): void {
    same(preg_match('/^1\.6\./', current($cache->getVersion())), 1, 'the version is of the 1.6 series');
    $stats = current($cache->getStats());
    same($stats['limit_maxbytes'], 64 * 1024 * 1024, 'stats has the size of the memory');
    same($stats['curr_items'] > 500, true, 'stats counts the items');
    same($cache->flush(), true, 'flush answers');
    answers($cache, $cache->get('many-2'), false, Memcached::RES_NOTFOUND, 'flush takes everything away');
}

$cache = connected();
$cache->flush();
storing($cache);
values($cache);
many($cache);
cas($cache);
arithmetic($cache);
expiry($cache);
noreply();
buffering();
administration($cache);
$cache->quit();
done();
