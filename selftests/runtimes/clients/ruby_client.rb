# SPDX-License-Identifier: GPL-2.0-only
# Ruby's net/http as client. Environment: the contract of selftests/runtimes
# (Documentation/testing.md). Runs with Ruby 2.7 and later.
require 'net/http'
require 'openssl'

KEY = ENV.fetch('API_KEY')
REQUESTS = Integer(ENV.fetch('TEST_REQUESTS', 1))
CONNECTIONS = Integer(ENV.fetch('TEST_CONNECTIONS', 1))
THREADS = Integer(ENV.fetch('TEST_THREADS', 1))
EVERYWHERE = ENV['TEST_PLACES'] == 'all'

def request(connection, number)
  target = "/#{connection}/#{number}"
  return Net::HTTP::Get.new(target, 'X-Api-Key' => KEY) unless EVERYWHERE

  post = Net::HTTP::Post.new("#{target}?key=#{KEY}", 'X-Api-Key' => KEY)
  post.body = "{\"key\": \"#{KEY}\"}"
  post.content_type = 'application/json'
  post
end

def serve(connection)
  http = Net::HTTP.new(ENV.fetch('TEST_NAME'), Integer(ENV.fetch('TEST_PORT')), nil)
  http.ipaddr = ENV.fetch('TEST_ADDRESS')
  http.use_ssl = true
  http.ca_file = ENV.fetch('TEST_CA')
  http.start do
    REQUESTS.times do |number|
      response = http.request(request(connection, number))
      raise "status #{response.code}" unless response.code == '200'
    end
  end
end

begin
  THREADS.times.map do |first|
    Thread.new do
      Thread.current.report_on_exception = false
      first.step(CONNECTIONS - 1, THREADS) { |connection| serve(connection) }
    end
  end.each(&:join)
rescue StandardError => e
  abort "#{e.class}: #{e.message}"
end
