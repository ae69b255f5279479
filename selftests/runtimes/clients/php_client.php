<?php
// SPDX-License-Identifier: GPL-2.0-only
// PHP as client: php_client.php curl|streams. Environment: the contract of
// selftests/runtimes (Documentation/testing.md), but for threads, which PHP
// does not have. Runs with PHP 7.4 and later.

set_error_handler(function ($number, $message) {
	fwrite(STDERR, $message . "\n");
	exit(1);
});

function setting($name, $otherwise)
{
	$value = getenv($name);
	return $value === false ? $otherwise : $value;
}

$key = getenv('API_KEY');
$name = getenv('TEST_NAME');
$address = getenv('TEST_ADDRESS');
$port = getenv('TEST_PORT');
$everywhere = getenv('TEST_PLACES') === 'all';
$body = "{\"key\": \"$key\"}";

function with_curl($target)
{
	global $key, $name, $address, $port, $everywhere, $body;
	static $curl = null;

	if ($target === null) {
		$curl = curl_init();
		return;
	}
	$options = [
		CURLOPT_URL => "https://$name:$port$target",
		CURLOPT_RESOLVE => ["$name:$port:$address"],
		CURLOPT_CAINFO => getenv('TEST_CA'),
		CURLOPT_HTTPHEADER => ["X-Api-Key: $key", 'Expect:'],
		CURLOPT_HTTP_VERSION => CURL_HTTP_VERSION_1_1,
		CURLOPT_RETURNTRANSFER => true,
		CURLOPT_TIMEOUT => 60,
	];
	if ($everywhere)
		$options[CURLOPT_POSTFIELDS] = $body;
	curl_setopt_array($curl, $options);
	if (curl_exec($curl) === false)
		trigger_error(curl_error($curl));
	if (curl_getinfo($curl, CURLINFO_RESPONSE_CODE) !== 200)
		trigger_error('status ' . curl_getinfo($curl, CURLINFO_RESPONSE_CODE));
}

function with_streams($target)
{
	global $key, $name, $address, $port, $everywhere, $body;
	static $stream = null;

	if ($target === null) {
		$context = stream_context_create(['ssl' => [
			'cafile' => getenv('TEST_CA'), 'peer_name' => $name]]);
		$stream = stream_socket_client("tls://$address:$port", $number, $message, 60,
			STREAM_CLIENT_CONNECT, $context);
		return;
	}
	$head = ($everywhere ? 'POST' : 'GET') . " $target HTTP/1.1\r\nHost: $name\r\n" .
		"X-Api-Key: $key\r\n";
	if ($everywhere)
		$head .= 'Content-Length: ' . strlen($body) . "\r\n\r\n$body";
	else
		$head .= "\r\n";
	fwrite($stream, $head);
	if (strpos(fgets($stream), '200') === false)
		trigger_error('status is not 200');
	$length = 0;
	while (($line = trim(fgets($stream))) !== '')
		if (stripos($line, 'content-length:') === 0)
			$length = (int)substr($line, 15);
	stream_get_contents($stream, $length);
}

$with = $argv[1] === 'curl' ? 'with_curl' : 'with_streams';
for ($connection = 0; $connection < setting('TEST_CONNECTIONS', 1); $connection++) {
	$with(null);
	for ($number = 0; $number < setting('TEST_REQUESTS', 1); $number++)
		$with("/$connection/$number" . ($everywhere ? "?key=$key" : ''));
}
