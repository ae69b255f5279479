// SPDX-License-Identifier: GPL-2.0-only
// Node's https: its own OpenSSL inside the executable, TLS over memory buffers.
'use strict';
const fs = require('fs');
const https = require('https');

const plan = JSON.parse(fs.readFileSync(process.argv[2]));

function fill(text, values) {
	return text.replace(/\{([A-Z][A-Z0-9_]*)\}/g,
		(_, name) => name in values ? values[name] : process.env[name]);
}

function send(agent, request, values) {
	const body = fill(request.body, values);
	const headers = {};
	for (const [name, value] of request.headers)
		headers[name] = fill(value, values);
	headers['Content-Length'] = Buffer.byteLength(body);
	const options = {
		agent, headers, method: request.method, path: fill(request.target, values),
		host: plan.address, port: plan.port, servername: plan.name || '',
		ca: fs.readFileSync(plan.ca), timeout: 60000,
	};
	if (!plan.name)
		options.checkServerIdentity = () => undefined;
	return new Promise((resolve, reject) => {
		const outgoing = https.request(options, (response) => {
			response.resume();
			response.on('end', () => response.statusCode === 200 ?
				resolve() : reject(new Error(`status ${response.statusCode}`)));
		});
		outgoing.on('error', reject);
		outgoing.end(body);
	});
}

async function work(worker) {
	const agent = new https.Agent({ keepAlive: !plan.fresh, maxSockets: 1 });
	for (let count = 0; count < plan.repeat; count++)
		for (const request of plan.requests)
			await send(agent, request, { WORKER: String(worker), COUNT: String(count) });
	agent.destroy();
}

async function pause() {
	if (!plan.wait)
		return;
	console.log('ready');
	await new Promise((resolve) => process.stdin.once('data', resolve));
	process.stdin.destroy();
}

Promise.all([...Array(plan.workers).keys()].map(work)).then(pause).catch((error) => {
	console.error(error);
	process.exit(1);
});
