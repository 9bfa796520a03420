<?php
// Checks that print TAP, one line each, for the client programs in PHP.

declare(strict_types=1);

$checks = 0;

function same(mixed $got, mixed $wanted, string $behaviour): void {
    global $checks;
    $checks++;
    echo $got === $wanted ? 'ok' : 'not ok', " $checks - $behaviour\n";
    if ($got !== $wanted) echo '# got ', shown($got), ', wanted ', shown($wanted), "\n";
}

/** Checks an answer together with the result code behind it. */
function answers(Memcached $cache, mixed $got, mixed $wanted, int $code, string $behaviour): void {
    same([$got, $cache->getResultCode()], [$wanted, $code], $behaviour);
}

function done(): void {
    global $checks;
    echo "1..$checks\n";
}

function shown(mixed $value): string {
    return substr(json_encode($value, JSON_INVALID_UTF8_SUBSTITUTE), 0, 200);
}
