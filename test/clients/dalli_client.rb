# Dalli: every operation, in the binary protocol. Argument: the server's address; it is flushed.

require 'dalli'
require_relative 'checks'

EVERY_BYTE = (0..255).map(&:chr).join.b
LARGE = EVERY_BYTE * 3600 # 900 KiB
TOO_LARGE = 'x' * (1024 * 1024)

Dalli.logger.level = Logger::FATAL

ADDRESS = ARGV[0]
CHECKS = Checks.new

def connected(**options)
  Dalli::Client.new(ADDRESS, compress: false, socket_timeout: 20, **options)
end

def equal(got, wanted, behaviour) = CHECKS.equal(got, wanted, behaviour)

def raises(kind, behaviour, &action) = CHECKS.raises(kind, behaviour, &action)

def storing(cache)
  equal cache.set('key', 'value').class, Integer, 'set returns a cas number'
  equal cache.get('key'), 'value', 'get returns the value'
  equal cache.get('missing'), nil, 'get of a missing key is nil'
  equal cache.add('key', 'second'), false, 'add refuses a key that exists'
  equal cache.add('new', 'first').class, Integer, 'add stores a new key'
  equal cache.replace('missing', 'x'), 0, 'replace refuses a missing key'
  equal cache.replace('key', 'replaced').class, Integer, 'replace stores over a key that exists'
  equal cache.get('key'), 'replaced', 'and the new value is there'
  cache.set('raw', 'middle', 0, raw: true)
  equal cache.append('raw', '-end'), true, 'append to a key that exists'
  equal cache.prepend('raw', 'start-'), true, 'prepend to a key that exists'
  equal cache.get('raw', raw: true), 'start-middle-end', 'append and prepend put the value together'
  equal cache.append('missing', 'x'), false, 'append refuses a missing key'
  equal cache.prepend('missing', 'x'), false, 'prepend refuses a missing key'
  equal cache.delete('key'), true, 'delete finds the key'
  equal cache.delete('key'), nil, 'delete of a missing key is refused'
  equal cache.get('key'), nil, 'a deleted key is gone'
  equal cache.fetch('fetched') { 'made' }, 'made', 'fetch makes what is missing'
  equal cache.fetch('fetched') { 'made again' }, 'made', 'and finds it the next time'
end

def values(cache)
  {
    'every byte' => EVERY_BYTE,
    'empty' => '',
    'text' => 'grüße, 世界, 🙂',
    'number' => 2**70,
    'object' => { list: [1, 2.5, nil], text: 'ü' },
    '900 KiB' => LARGE
  }.each do |name, value|
    cache.set('value', value)
    equal cache.get('value'), value, "a value comes back: #{name}"
  end
  raises(Dalli::ValueOverMaxSize, 'a value of 1 MiB is refused') { cache.set('too-large', TOO_LARGE) }
  equal cache.get('too-large'), nil, 'and not there'
  equal cache.get('value'), LARGE, 'other values stay'
  compressing = connected(compress: true)
  compressing.set('compressed', 'text ' * 100_000)
  equal compressing.get('compressed'), 'text ' * 100_000, 'a compressed value comes back'
  compressing.close
end

def keys(cache)
  {
    'of 250 bytes' => 'k' * 250,
    'with line ends' => "a\r\nb\n",
    'in UTF-8' => 'ключ-键'
  }.each do |name, key|
    cache.set(key, 'v')
    equal cache.get_multi(key), { key.b => 'v' }, "a key #{name} is found"
  end
  equal cache.set('k' * 1000, 'v').class, Integer, 'a key of 1000 bytes is shortened by the client'
  equal cache.get('k' * 1000), 'v', 'and found'
  spaced = connected(namespace: 'shop')
  spaced.set('key', 'in the shop')
  equal spaced.get('key'), 'in the shop', 'a namespace keeps a key apart'
  equal spaced.get_multi('key', 'missing'), { 'key' => 'in the shop' }, 'for many keys, too'
  equal cache.get('shop:key'), 'in the shop', 'by a prefix'
  spaced.close
end

def many(cache)
  wanted = (0...500).to_h { |i| ["many-#{i}", i] }
  cache.multi { wanted.each { |key, value| cache.set(key, value) } }
  equal cache.get_multi(wanted.keys, 'many-missing'), wanted, 'get_multi returns the 500 that were set quietly'
  cache.multi do
    (0...500).step(2) { |i| cache.delete("many-#{i}") }
    cache.add('many-1', 'x')
    cache.replace('many-missing', 'x')
  end
  left = cache.get_multi(wanted.keys, 'many-missing')
  equal left.size, 250, 'quiet deletes took effect'
  equal left['many-1'], 1, 'a quiet add that was refused is silent'
end

def cas(cache)
  cache.set('cas', 'one')
  equal cache.cas('cas') { |value| "#{value}-two" }.class, Integer, 'cas stores what the block makes'
  equal cache.get('cas'), 'one-two', 'and the value is there'
  changed = cache.cas('cas') do |value|
    cache.set('cas', 'in between')
    "#{value}-three"
  end
  equal changed, false, 'cas is refused when another came in between'
  equal cache.cas('missing') { 'x' }, nil, 'cas of a missing key is nil'
  value, number = cache.get_cas('cas')
  equal value, 'in between', 'get_cas returns the value'
  equal cache.get_multi_cas('cas', 'missing'), { 'cas' => [value, number] }, 'get_multi_cas returns value and number'
  equal cache.set_cas('cas', 'x', number + 1), false, 'set_cas with a wrong number is refused'
  equal cache.replace_cas('cas', 'x', number).class, Integer, 'replace_cas with the right one stores'
  equal cache.delete_cas('cas', number), false, 'delete_cas with an old number is refused'
  equal cache.delete_cas('cas', cache.get_cas('cas')[1]), true, 'delete_cas with the right one deletes'
end

def arithmetic(cache)
  equal cache.incr('number', 5), nil, 'incr of a missing key is nil'
  equal cache.incr('number', 5, 0, 10), 10, 'unless it is told what to begin with'
  equal cache.incr('number', 5), 15, 'incr returns the sum'
  equal cache.decr('number', 6), 9, 'decr returns the difference'
  equal cache.get('number', raw: true).strip, '9', 'a number that got shorter is still a number'
  equal cache.decr('number', 100), 0, 'decr stops at zero'
  equal cache.incr('largest', 1, 0, (2**64) - 2), (2**64) - 2, 'a counter begins near the end of 64 bits'
  equal cache.incr('largest'), (2**64) - 1, 'reaches it'
  equal cache.incr('largest'), 0, 'and wraps'
  cache.set('word', 'word', 0, raw: true)
  raises(Dalli::DalliError, 'incr of a word is refused') { cache.incr('word') }
  equal cache.get('word', raw: true), 'word', 'and leaves it alone'
end

def expiry(cache)
  cache.set('soon', 'v', 100)
  equal cache.get('soon'), 'v', 'a value is there before its time'
  equal cache.touch('soon', 200), true, 'touch finds the key'
  equal cache.touch('missing', 200), nil, 'touch of a missing key is nil'
  equal cache.gat('soon', 300), 'v', 'gat returns the value'
  equal cache.gat('missing', 300), nil, 'gat of a missing key is nil'
end

def administration(cache)
  stats = cache.stats.values.first
  equal stats['version'][0, 4], '1.6.', 'the version is of the 1.6 series'
  equal stats['limit_maxbytes'], '67108864', 'stats has the size of the memory'
  equal cache.stats(:settings).values.first['maxconns'], '1024', 'stats has the settings'
  equal cache.stats(:items).values.first.keys.first[/\Aitems:\d+:number\z/].class, String, 'stats has the items'
  equal cache.version.values.first[0, 4], '1.6.', 'version answers'
  equal cache.reset_stats, [true], 'stats can be reset'
  equal cache.stats.values.first['get_hits'], '0', 'and then are zero'
  equal cache.flush_all, [true], 'flush_all answers'
  equal cache.get('many-1'), nil, 'flush_all takes everything away'
  cache.close
  equal cache.set('again', 'v').class, Integer, 'after a close the client connects again'
end

cache = connected
cache.flush
storing(cache)
values(cache)
keys(cache)
many(cache)
cas(cache)
arithmetic(cache)
expiry(cache)
administration(cache)
cache.close
CHECKS.done
