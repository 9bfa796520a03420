# Checks that print TAP, one line each, for the client programs in Ruby.

class Checks
  def initialize
    @count = 0
  end

  def equal(got, wanted, behaviour)
    report(got == wanted, behaviour, "got #{shown(got)}, wanted #{shown(wanted)}")
  end

  def raises(kind, behaviour)
    got = yield
    report(false, behaviour, "got #{shown(got)}, wanted #{kind}")
  rescue StandardError => e
    report(e.is_a?(kind), behaviour, "raised #{e.inspect}, wanted #{kind}")
  end

  def done
    puts "1..#{@count}"
  end

  private

  def report(is_right, behaviour, detail)
    @count += 1
    puts "#{'not ' unless is_right}ok #{@count} - #{behaviour}"
    puts "# #{detail.tr("\n", ' ')}" unless is_right
    $stdout.flush
  end

  def shown(value)
    text = value.inspect
    text.length < 200 ? text : "#{text[0, 100]}... (#{text.length} characters)"
  end
end
