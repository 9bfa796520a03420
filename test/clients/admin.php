<?php
// What web pages about a memcached do, phpMemcachedAdmin first of all: a bare socket, one command a line, lines that are
// split at spaces and colons. Argument: the server's address (it is flushed).

declare(strict_types=1);

require __DIR__ . '/checks.php';

const ENDS = ['END', 'ERROR', 'OK', 'RESET', 'STORED', 'DELETED', 'NOT_FOUND'];

[, $address] = $argv;

/** The lines of an answer, without the one that ends it unless it is all there is. */
function ask(string $command): array {
    global $address;
    [$host, $port] = str_starts_with($address, '/') ? ["unix://$address", -1] : explode(':', $address);
    $socket = fsockopen($host, (int) $port, $code, $message, 5);
    fwrite($socket, "$command\r\n");
    $lines = [];
    while (($line = fgets($socket, 256)) !== false) {
        $line = rtrim($line);
        $isEnd = in_array($line, ENDS, true) || preg_match('/^(CLIENT|SERVER)_ERROR/', $line) === 1;
        if (!$isEnd || $lines === []) $lines[] = $line;
        if ($isEnd) break;
    }
    fclose($socket);
    return $lines === ['END'] ? [] : $lines;
}

/** `STAT name value`, as name => value. */
function table(string $command): array {
    $table = [];
    foreach (ask($command) as $line) {
        $parts = explode(' ', $line, 3);
        if ($parts[0] === 'STAT') $table[$parts[1]] = $parts[2] ?? '';
    }
    return $table;
}

/** `1:chunk_size` and `items:1:number`, as class => name => value; what belongs to no class under 0. */
function byClass(string $command): array {
    $classes = [];
    foreach (table($command) as $name => $value) {
        $parts = array_slice(explode(':', $name), -2);
        $classes[count($parts) === 2 ? (int) $parts[0] : 0][end($parts)] = $value;
    }
    return $classes;
}

ask('flush_all');
ask('stats reset');
same(ask("set page:1 0 0 5\r\nvalue"), ['STORED'], 'a value is stored');
same(ask("set page:2 0 600 1000\r\n" . str_repeat('x', 1000)), ['STORED'], 'and another of a larger class');
ask('get page:1 page:3');

$stats = table('stats');
$wanted = ['pid', 'uptime', 'time', 'version', 'pointer_size', 'rusage_user', 'rusage_system', 'curr_connections', 'total_connections',
    'connection_structures', 'cmd_get', 'cmd_set', 'cmd_flush', 'cmd_touch', 'get_hits', 'get_misses', 'delete_misses', 'delete_hits',
    'incr_misses', 'incr_hits', 'decr_misses', 'decr_hits', 'cas_misses', 'cas_hits', 'cas_badval', 'touch_hits', 'touch_misses',
    'auth_cmds', 'auth_errors', 'bytes_read', 'bytes_written', 'limit_maxbytes', 'accepting_conns', 'listen_disabled_num', 'threads',
    'conn_yields', 'hash_power_level', 'hash_bytes', 'bytes', 'curr_items', 'total_items', 'evictions', 'reclaimed',
    'expired_unfetched', 'evicted_unfetched'];
same(array_values(array_diff($wanted, array_keys($stats))), [], 'stats has every row that is drawn');
$numbers = array_intersect_key($stats, array_flip(array_diff($wanted, ['version'])));
same(array_keys(array_filter($numbers, fn ($value) => !is_numeric($value))), [], 'and they are numbers');
same([$stats['cmd_get'], $stats['get_hits'], $stats['get_misses']], ['2', '1', '1'], 'hits and misses are true');
same([$stats['cmd_set'], $stats['curr_items']], ['2', '2'], 'so are the items');
same((int) $stats['time'] >= $_SERVER['REQUEST_TIME'] - 2 && (int) $stats['time'] <= time() + 2, true, 'and the time');

$settings = table('stats settings');
$wanted = ['maxbytes', 'maxconns', 'tcpport', 'udpport', 'inter', 'verbosity', 'oldest', 'evictions', 'domain_socket', 'umask',
    'growth_factor', 'chunk_size', 'num_threads', 'stat_key_prefix', 'detail_enabled', 'reqs_per_event', 'cas_enabled', 'tcp_backlog',
    'binding_protocol', 'auth_enabled_sasl', 'item_size_max', 'maxconns_fast', 'hashpower_init', 'slab_reassign', 'slab_automove'];
same(array_values(array_diff($wanted, array_keys($settings))), [], 'stats settings has every row that is shown');
same($settings['maxbytes'], $stats['limit_maxbytes'], 'and the same memory as stats');

$slabs = byClass('stats slabs');
$items = byClass('stats items');
$inUse = array_filter($slabs, fn ($slab) => ($slab['used_chunks'] ?? 0) > 0);
unset($slabs[0]);
same(array_keys($inUse), array_keys($items), 'the classes that hold something have a table of items');
same(array_sum(array_column($slabs, 'used_chunks')), 2, 'two chunks are used');
same(array_sum(array_column($items, 'number')), 2, 'by two items');
foreach ($inUse as $class => $slab) {
    same((int) $slab['total_chunks'], $slab['total_pages'] * $slab['chunks_per_page'], "class $class has the chunks of its pages");
    same((int) $slab['total_chunks'], $slab['used_chunks'] + $slab['free_chunks'] + $slab['free_chunks_end'], "used or free");
    same($items[$class]['mem_requested'] <= $slab['used_chunks'] * $slab['chunk_size'], true, 'its items fit their chunks');
    same(array_diff(['number', 'age', 'evicted', 'evicted_time', 'outofmemory', 'tailrepairs', 'reclaimed'], array_keys($items[$class])), [],
        'and everything is told of them');
}

$class = array_key_first($inUse);
$dump = ask("stats cachedump $class 100");
same(preg_match('/^ITEM page:1 \[5 b; \d+ s\]$/', $dump[0] ?? ''), 1, 'stats cachedump names the key');

same(ask('stats reset'), ['RESET'], 'stats reset');
same(table('stats')['get_hits'], '0', 'begins again');
same(ask('delete page:1'), ['DELETED'], 'a key is deleted');
same(ask('flush_all'), ['OK'], 'everything is flushed');
same(ask('stats items'), [], 'nothing is left to show');
done();
