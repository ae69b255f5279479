#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A program that sends its standard input over TLS, as client: piped.sh COMMAND...
# Environment: the contract of selftests/runtimes (Documentation/testing.md), one
# connection.
set -eu

# Closing the FIFO ends the input, once all answers are there.
fifo=$(mktemp -d)/answered
trap 'rm -rf "${fifo%/*}"' EXIT
mkfifo "$fifo"

input() {
	number=0
	while [ "$number" -lt "${TEST_REQUESTS:-1}" ]; do
		printf 'GET /0/%d HTTP/1.1\r\nHost: %s\r\nX-Api-Key: %s\r\n\r\n' \
			"$number" "$TEST_NAME" "$API_KEY"
		number=$((number + 1))
	done
	cat "$fifo"
}

await_answers() {
	missing=${TEST_REQUESTS:-1}
	while [ "$missing" -gt 0 ] && IFS= read -r line; do
		case $line in
		*"HTTP/1.1 200"*) missing=$((missing - 1)) ;;
		esac
	done
	: > "$fifo"
	cat > /dev/null
	return "$missing"
}

input | "$@" | await_answers
