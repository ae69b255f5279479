// SPDX-License-Identifier: GPL-2.0-only
// argv: "c-ares" or "getaddrinfo", a name. Prints its addresses, a line each.
'use strict';
const dns = require('dns').promises;

async function addresses(way, name) {
	if (way === 'getaddrinfo')
		return (await dns.lookup(name, { all: true })).map((item) => item.address);
	const resolver = new dns.Resolver();
	const both = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
	return both.flatMap((half) => half.value || []);
}

addresses(process.argv[2], process.argv[3]).then((all) => {
	for (const address of all)
		console.log(address);
	process.exitCode = all.length ? 0 : 1;
});
