#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# curl or wget as client: urls.sh curl|wget. Environment: the contract of
# selftests/runtimes (Documentation/testing.md); each connection is a process, and
# TEST_THREADS is not heeded. wget takes the address from /etc/hosts.
set -eu

with_curl() {
	exec curl -sS --http1.1 --max-time 60 --fail --cacert "$TEST_CA" \
		--connect-to "::$TEST_ADDRESS:$TEST_PORT" -H "X-Api-Key: $API_KEY" "$@"
}

with_wget() {
	exec wget -q -nv --no-config --no-hsts --tries=1 --timeout=60 -O /dev/null \
		--ca-certificate="$TEST_CA" --header="X-Api-Key: $API_KEY" "$@"
}

if [ "${TEST_PLACES:-}" = all ]; then
	query="?key=$API_KEY"
	case $1 in
	curl) body=--data-binary ;;
	wget) body=--post-data ;;
	esac
fi

connection=0
while [ "$connection" -lt "${TEST_CONNECTIONS:-1}" ]; do
	(
		with=with_$1
		shift
		number=0
		while [ "$number" -lt "${TEST_REQUESTS:-1}" ]; do
			set -- "$@" "https://$TEST_NAME:$TEST_PORT/$connection/$number${query:-}"
			number=$((number + 1))
		done
		[ -z "${body:-}" ] || set -- "$body" "{\"key\": \"$API_KEY\"}" "$@"
		"$with" "$@"
	)
	connection=$((connection + 1))
done
