// SPDX-License-Identifier: GPL-2.0-only
// Node's https as client. Environment: the contract of selftests/runtimes
// (Documentation/testing.md). Runs with node 12 and later.
'use strict';
const fs = require('fs');
const https = require('https');

const env = process.env;
const key = env.API_KEY;
const requests = Number(env.TEST_REQUESTS || 1);
const connections = Number(env.TEST_CONNECTIONS || 1);
const tasks = Number(env.TEST_THREADS || 1);
const ca = fs.readFileSync(env.TEST_CA);

function send(agent, connection, number) {
	const everywhere = env.TEST_PLACES === 'all';
	const target = `/${connection}/${number}`;
	const options = {
		host: env.TEST_ADDRESS, port: env.TEST_PORT, servername: env.TEST_NAME, ca, agent,
		method: everywhere ? 'POST' : 'GET',
		path: everywhere ? `${target}?key=${key}` : target,
		headers: { Host: env.TEST_NAME, 'X-Api-Key': key },
	};
	const body = everywhere ? JSON.stringify({ key }) : '';
	if (everywhere)
		options.headers['Content-Length'] = body.length;
	return new Promise((resolve, reject) => {
		const request = https.request(options, (response) => {
			response.resume();
			response.on('end', () => response.statusCode === 200 ? resolve()
				: reject(new Error(`status ${response.statusCode}`)));
		});
		request.on('error', reject);
		request.end(body);
	});
}

async function task(first) {
	for (let connection = first; connection < connections; connection += tasks) {
		const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
		for (let number = 0; number < requests; number++)
			await send(agent, connection, number);
		agent.destroy();
	}
}

Promise.all(Array.from({ length: tasks }, (_, first) => task(first))).catch((error) => {
	console.error(error.message);
	process.exit(1);
});
