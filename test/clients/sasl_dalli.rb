# Dalli with SASL. Argument: the address of a server that knows anna, with the password secret.

require 'dalli'
require_relative 'checks'

Dalli.logger.level = Logger::FATAL

def connected(**credentials)
  Dalli::Client.new(ARGV[0], socket_timeout: 20, **credentials)
end

checks = Checks.new
cache = connected(username: 'anna', password: 'secret')
checks.equal cache.set('key', 'value').class, Integer, 'with the right password set stores'
checks.equal cache.get('key'), 'value', 'and get finds it'
checks.raises(Dalli::DalliError, 'a wrong password is refused') { connected(username: 'anna', password: 'wrong').get('key') }
checks.raises(Dalli::DalliError, 'so is an unknown name') { connected(username: 'nobody', password: 'secret').get('key') }
checks.raises(Dalli::DalliError, 'and nothing is stored without a password') { connected.set('key', 'x') }
checks.equal cache.get('key'), 'value', 'the first client goes on'
checks.done
