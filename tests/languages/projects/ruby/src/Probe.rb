require 'algorium'
require 'fileutils'

class InputError < StandardError; end

def load
  FileUtils.touch('/tmp/kept')
  { runs: 0 }
end

def scratch
  found = Dir.children('/tmp').sort
  FileUtils.mkdir_p('/tmp/left/deep')
  FileUtils.touch('/tmp/left/deep/file')
  found
end

def printed
  puts 'one'
  warn 'two'
end

def apply(value, state)
  state[:runs] += 1
  case value.is_a?(Hash) && value['do']
  when 'count' then state[:runs]
  when 'refuse' then raise InputError, 'too small'
  when 'fail' then raise ArgumentError, 'out of luck'
  when 'print' then printed
  when 'write'
    IO.for_fd(1, autoclose: false).syswrite('straight')
    nil
  when 'bytes' then "\x00\xff".b * value['half']
  when 'scratch' then scratch
  when 'status' then File.read('/proc/self/status')
  when 'leave'
    spawn('sleep', '60')
    nil
  when 'call' then Algorium.call(value['name'], value['with'], timeout: 5)
  when 'exit' then exit(3)
  when 'hang' then sleep
  when 'fill' then (1..4096).map { |n| (n % 256).chr * (2**20) }.size
  else value
  end
end
