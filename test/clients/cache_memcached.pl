# Cache::Memcached and Cache::Memcached::Fast, which share their interface. Arguments: the server's address (it is
# flushed) and the name of the class.

use strict;
use warnings;
use utf8;
use Test::More;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my ($address, $class) = @ARGV;
eval "require $class" or die $@;
my $is_fast = $class eq 'Cache::Memcached::Fast';
my $cache = $class->new({ servers => [$address], ($is_fast ? (utf8 => 1, io_timeout => 20) : ()) });

my $every_byte = join '', map { chr } 0 .. 255;
my $large = $every_byte x 3600;    # 900 KiB
my $too_large = 'x' x (1024 * 1024);

sub storing {
    is $cache->set('key', 'value'), 1, 'set stores a value';
    is $cache->get('key'), 'value', 'get returns it';
    is $cache->get('missing'), undef, 'get of a missing key is undef';
    ok !$cache->add('key', 'second'), 'add refuses a key that exists';
    is $cache->add('new', 'first'), 1, 'add stores a new key';
    ok !$cache->replace('missing', 'x'), 'replace refuses a missing key';
    is $cache->replace('key', 'replaced'), 1, 'replace stores over a key that exists';
    is $cache->append('key', '-end'), 1, 'append to a key that exists';
    is $cache->prepend('key', 'start-'), 1, 'prepend to a key that exists';
    is $cache->get('key'), 'start-replaced-end', 'append and prepend put the value together';
    ok !$cache->append('missing', 'x'), 'append refuses a missing key';
    is $cache->delete('key'), 1, 'delete finds the key';
    ok !$cache->delete('key'), 'delete of a missing key is refused';
    is $cache->get('key'), undef, 'a deleted key is gone';
}

sub values_of_all_kinds {
    $cache->set('value', $every_byte);
    is $cache->get('value'), $every_byte, 'a value of every byte comes back';
    $cache->set('value', "a\r\nEND\r\n\r\nb\n");
    is $cache->get('value'), "a\r\nEND\r\n\r\nb\n", 'a value with line ends comes back';
    $cache->set('value', '');
    is $cache->get('value'), '', 'an empty value comes back';
    my $object = { list => [1, 2.5, undef], text => 'plain' };
    $cache->set('value', $object);
    is_deeply $cache->get('value'), $object, 'a reference comes back as a structure';
    $cache->set('large', $large);
    ok $cache->get('large') eq $large, 'a value of 900 KiB comes back';
    $cache->set('too-large', 'old');
    ok !$cache->set('too-large', $too_large), 'a value of 1 MiB is refused';
    is $cache->get('too-large'), undef, 'a value that is too large takes the old one away';
    ok $cache->get('large') eq $large, 'other values stay';
    is $cache->set('k' x 250, 'v'), 1, 'a key of 250 bytes is stored';
    is $cache->get('k' x 250), 'v', 'a key of 250 bytes is found';
    ok !$cache->set('k' x 251, 'v'), 'a key of 251 bytes is refused';
}

sub many {
    $cache->set("many-$_", $_) for 0 .. 499;
    my $found = $cache->get_multi((map { "many-$_" } 0 .. 499), 'many-missing');
    is_deeply $found, { map { ("many-$_" => $_) } 0 .. 499 }, 'get_multi returns the 500 that exist';
}

sub arithmetic {
    $cache->set('number', 10);
    is $cache->incr('number', 5), 15, 'incr returns the sum';
    is $cache->decr('number', 6), 9, 'decr returns the difference';
    is $cache->decr('number', 100) + 0, 0, 'decr stops at zero';
    ok !$cache->incr('missing'), 'incr of a missing key is refused';
}

sub expiry {
    is $cache->set('soon', 'v', 100), 1, 'set with a time to live';
    is $cache->get('soon'), 'v', 'it is there before its time';
    is $cache->set('past', 'v', 2592001), 1, 'a date in 1970 is accepted';
    is $cache->get('past'), undef, 'a date in the past is expired';
    is $cache->set('dead', 'v', -1), 1, 'a negative expiry is accepted';
    is $cache->get('dead'), undef, 'and the value is never seen';
}

sub administration {
    if ($is_fast) {
        like((values %{ $cache->server_versions })[0], qr/^1\.6\./, 'the version is of the 1.6 series');
    } else {
        my $stats = $cache->stats('misc')->{hosts}{$address}{misc};
        like $stats->{version}, qr/^1\.6\./, 'the version is of the 1.6 series';
        cmp_ok $stats->{curr_items}, '>', 500, 'stats counts the items';
    }
    ok $cache->flush_all, 'flush_all answers';
    is $cache->get('many-1'), undef, 'flush_all takes everything away';
}

# What only Cache::Memcached::Fast has.
sub fast {
    is $cache->touch('missing', 10), '', 'touch of a missing key is refused';
    $cache->set('key', 'one');
    is $cache->touch('key', 100), 1, 'touch finds the key';
    my ($cas, $value) = @{ $cache->gets('key') };
    is $value, 'one', 'gets returns the value';
    is $cache->cas('key', $cas, 'two'), 1, 'cas with the right number stores';
    is $cache->cas('key', $cas, 'three'), '', 'cas with an old number is refused';
    is $cache->get('key'), 'two', 'the refused value was not stored';
    is $cache->gat(100, 'key'), 'two', 'gat returns the value';
    is_deeply $cache->gat_multi(100, 'key', 'missing'), { key => 'two' }, 'gat_multi returns what exists';
    is_deeply [$cache->set_multi(['multi-1', 1], ['multi-2', 2])], [1, 1], 'set_multi stores';
    is_deeply [$cache->add_multi(['multi-1', 3], ['multi-3', 3])], ['', 1], 'add_multi refuses what exists';
    is_deeply [$cache->incr_multi('multi-1', ['multi-2', 5])], [2, 7], 'incr_multi counts';
    is_deeply [$cache->delete_multi('multi-1', 'missing')], [1, ''], 'delete_multi tells what it found';
    $cache->set('grüße', '世界');
    is $cache->get('grüße'), '世界', 'a key and a value in UTF-8 come back';
    # In void context the client sends noreply, and nowait_push waits for all of it.
    $cache->set("quiet-$_", $_) for 0 .. 299;
    $cache->incr('quiet-1', 41);
    $cache->delete('quiet-0');
    $cache->nowait_push;
    is scalar(keys %{ $cache->get_multi(map { "quiet-$_" } 0 .. 299) }), 299, 'sets and delete with noreply took effect';
    is $cache->get('quiet-1'), 42, 'incr with noreply took effect';
}

$cache->flush_all;
storing();
values_of_all_kinds();
many();
arithmetic();
expiry();
administration();
fast() if $is_fast;
done_testing;
