# frozen_string_literal: true

# Serves one Ruby version inside its sandbox: ruby runner.rb WIRE RESULT_BYTES

require 'json'

# For algorithms: call other algorithms, as the person who called this one.
#
#     require 'algorium'
#     greeting = Algorium.call('alice/Hello/1.0.0', 'Bob', timeout: 10)
module Algorium
  # A nested call gave no result: `type` is the error's type, such as "InputError".
  class CallError < StandardError
    attr_reader :type

    def initialize(type, message)
      super(message)
      @type = type
    end
  end

  class << self
    attr_writer :connection

    # Give what `reference` ("owner/name" or "owner/name/version") answers to `value`.
    def call(reference, value = nil, timeout: nil)
      @connection.call(reference.to_s, value, timeout)
    end
  end

  ROOT = '/algorithm'
  SCRATCH = ['/tmp', '/dev/shm'].freeze
  MIB = 1024 * 1024
  TYPES = %w[
    InputError UnsupportedError InitializationError OutOfMemoryError OutOfGpuMemoryError
    LanguageError TooLargeError ParsingError EntityNotFoundError ThirdPartyCredentialError
    AlgorithmError
  ].freeze

  # A value that no payload can carry; the message says why.
  class NotCarried < StandardError; end

  # The version's code can't be served; the message says why.
  class LoadFailed < StandardError; end

  # Values to payloads and back.
  module Values
    def self.from(type, body)
      case type
      when 'binary' then body
      when 'text' then body.force_encoding(Encoding::UTF_8)
      when 'void' then nil
      else JSON.parse(body.force_encoding(Encoding::UTF_8))
      end
    end

    # Text in Ruby's binary encoding is bytes, any other is text.
    def self.payload(value)
      return ['json', JSON.generate(value)] unless value.is_a?(String)
      return ['binary', value] if value.encoding == Encoding::BINARY

      text = value.encode(Encoding::UTF_8)
      raise NotCarried, "The result holds text that isn't valid Unicode." unless text.valid_encoding?

      ['text', text]
    rescue JSON::GeneratorError, JSON::NestingError, EncodingError => e
      raise NotCarried, "The result can't be returned: #{e.message}."
    end
  end

  # Frames, as execution/sandbox/wire.py has them.
  class Connection
    attr_writer :calls_others

    def initialize(number)
      @wire = IO.for_fd(number, 'r+b')
      @wire.close_on_exec = true
      @wire.sync = true
      @owner = Process.pid
      @next_call = 0
      @asking = Mutex.new
    end

    def send(header, body = '')
      exit!(0) if Process.pid != @owner # a copy that the author's code forked and let return
      head = JSON.generate(header).b
      @wire.write([2 + head.bytesize + body.bytesize, head.bytesize].pack('Nn') + head + body.b)
    rescue SystemCallError
      exit!(0)
    end

    def receive
      length, head_length = read(6).unpack('Nn')
      head = read(head_length)
      [JSON.parse(head.force_encoding(Encoding::UTF_8)), read(length - 2 - head_length)]
    end

    def call(reference, value, timeout)
      unless @calls_others
        raise CallError.new('UnsupportedError',
                            "This version wasn't published with the permission to call others.")
      end
      type, data = Values.payload(value)
      answer, body = @asking.synchronize do
        @next_call += 1
        send({ kind: 'call', id: @next_call, ref: reference, type: type, timeout: timeout }, data)
        receive
      end
      raise CallError.new(answer['error'], body.force_encoding(Encoding::UTF_8)) if answer['error']

      Values.from(answer['type'], body)
    end

    private

    def read(count)
      return ''.b if count.zero?

      data = @wire.read(count)
      exit!(0) if data.nil? || data.bytesize < count
      data
    end
  end

  # What the runs of a version leave in the scratch folders.
  class Scratch
    def initialize
      @kept = paths
    end

    # Remove what the run left; false where some of it stays.
    def tidy
      # Not by the folders' times, which on older kernels are too coarse to tell.
      (paths - @kept).each do |place|
        File.directory?(place) && !File.symlink?(place) ? Dir.rmdir(place) : File.unlink(place)
      end
      true
    rescue SystemCallError
      false
    end

    private

    # Every path, the deepest first.
    def paths
      SCRATCH.flat_map { |top| below(top) }
    end

    def below(folder)
      Dir.children(folder).flat_map do |name|
        place = File.join(folder, name)
        inside = File.directory?(place) && !File.symlink?(place) ? below(place) : []
        [*inside, place]
      end
    end
  end

  # Loads the version, then runs it.
  class Server
    def initialize(connection, result_bytes)
      @connection = connection
      @result_bytes = result_bytes
      @output = [$stdout, $stderr]
    end

    def serve
      @connection.send({ kind: 'hello' })
      start, = @connection.receive
      @connection.calls_others = start['calls_others']
      apply = load_version(start['name'])
      @scratch = Scratch.new
      @connection.send({ kind: 'loaded' })
      loop { run(apply, *@connection.receive) }
    end

    private

    def load_version(name)
      file = "#{ROOT}/src/#{name}.rb"
      raise LoadFailed, "src/#{name}.rb is not there." unless File.file?(file)

      $LOAD_PATH.push("#{ROOT}/lib", "#{ROOT}/src")
      Kernel.load(file)
      top = TOPLEVEL_BINDING.receiver
      own = ->(method) { top.respond_to?(method, true) && top.method(method).source_location&.first&.start_with?(ROOT) }
      raise LoadFailed, "src/#{name}.rb has no method apply(input)." unless own.call(:apply)

      state = top.send(:load) if own.call(:load)
      return ->(value) { top.send(:apply, value) } if top.method(:apply).arity == 1

      ->(value) { top.send(:apply, value, state) }
    rescue SystemExit => e
      leave(e)
    rescue Exception => e # rubocop:disable Lint/RescueException
      $stdout.flush
      @connection.send({ kind: 'failed' }, JSON.generate(describe(e).merge(message: load_reason(e))))
      exit!(0)
    end

    def run(apply, header, body)
      $stdout, $stderr = @output
      threads = Thread.list.size
      reply, data = answer(apply, header, body)
      $stdout.flush
      reply[:left] = Thread.list.size > threads || !@scratch.tidy
      @connection.send(reply.merge(id: header['id']), data)
    end

    def answer(apply, header, body)
      type, data = Values.payload(apply.call(Values.from(header['type'], body)))
      return [{ kind: 'result', type: type }, data] if data.bytesize <= @result_bytes

      size = format('%.1f', data.bytesize / MIB.to_f)
      most = format('%g', @result_bytes / MIB.to_f)
      failure('TooLargeError', "The result has #{size} MiB; at most #{most} can be returned.")
    rescue NotCarried => e
      failure('ParsingError', e.message)
    rescue SystemExit => e
      leave(e)
    rescue Exception => e # rubocop:disable Lint/RescueException
      [{ kind: 'error' }, JSON.generate(describe(e))]
    end

    def failure(type, message)
      [{ kind: 'error' }, JSON.generate({ type: type, message: message, stacktrace: '' })]
    end

    def describe(error)
      kind = error.is_a?(NoMemoryError) ? 'OutOfMemoryError' : error.class.name.to_s.split('::').last
      message = error.message.dup.force_encoding(Encoding::UTF_8).scrub.gsub("#{ROOT}/", '')
      frames = (error.backtrace || []).select { |line| line.start_with?("#{ROOT}/") }
      frames = frames.map { |line| line.delete_prefix("#{ROOT}/") }
      trace = frames.empty? ? '' : ["#{error.class}: #{message}", *frames].join("\n")
      { type: TYPES.include?(kind) ? kind : 'AlgorithmError', message: message[0, 10_000],
        stacktrace: trace[0, 20_000] }
    end

    def load_reason(error)
      text = describe(error)[:message]
      return text if error.is_a?(LoadFailed)
      return "#{text}. Is it missing from the Gemfile?" if error.is_a?(LoadError)

      "#{error.class}: #{text}"
    end

    # End at once: waiting for threads, or for what is to happen at exit, could take for ever.
    def leave(ended)
      @output.each(&:flush)
      exit!(ended.status)
    end
  end
end

$stdout.sync = true
$LOADED_FEATURES << 'algorium.rb'
number, result_bytes = ARGV.shift(2).map(&:to_i)
Algorium.connection = connection = Algorium::Connection.new(number)
Algorium::Server.new(connection, result_bytes).serve
