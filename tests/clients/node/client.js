// The npm package `xmlrpc`, which the clients for Node and most dashboards stand on.
//
// In: SUPERVISOR_SERVER_URL and HTTP_URL; the package in NODE_PATH. Out: nothing, or a failed assertion. A program called
// "one" runs, one called "off" does not.
'use strict';

const assert = require('assert');
const xmlrpc = require('xmlrpc');

const clients = [
  xmlrpc.createClient(new URL('/RPC2', process.env.HTTP_URL).href),
  xmlrpc.createClient({ socketPath: process.env.SUPERVISOR_SERVER_URL.slice('unix://'.length), path: '/RPC2' }),
];

function caller(client) {
  return (method, ...params) =>
    new Promise((resolve, reject) =>
      client.methodCall(method, params, (error, value) => (error ? reject(error) : resolve(value))));
}

async function fault(promise) {
  try {
    await promise;
  } catch (error) {
    return error.faultCode;
  }
  throw new Error('no fault');
}

async function everything(call) {
  assert.deepStrictEqual(await call('supervisor.getState'), { statecode: 1, statename: 'RUNNING' });
  const [off, one] = (await call('supervisor.getAllProcessInfo')).sort((a, b) => (a.name < b.name ? -1 : 1));
  assert.deepStrictEqual([off.statename, one.statename], ['STOPPED', 'RUNNING']);
  assert.strictEqual(typeof one.pid, 'number');
  assert.strictEqual(await call('supervisor.startProcess', 'off', true), true);
  assert.strictEqual(await call('supervisor.signalProcess', 'off', 18), true);
  assert.strictEqual(await call('supervisor.stopProcess', 'off', 1), true);
  assert.strictEqual(await fault(call('supervisor.stopProcess', 'off')), 70);
  assert.strictEqual(await fault(call('supervisor.getProcessInfo', 'nobody')), 10);
  assert.strictEqual(await call('supervisor.readProcessStdoutLog', 'one', 0, 4), 'h\u00e4\n');
  const mixed = await call('system.multicall', [
    { methodName: 'supervisor.getPID', params: [] },
    { methodName: 'supervisor.getProcessInfo', params: ['nobody'] },
  ]);
  assert.deepStrictEqual(mixed, [
    Number(process.env.DAEMON_PID),
    { faultCode: 10, faultString: 'BAD_NAME: nobody' },
  ]);
}

(async () => {
  for (const client of clients) {
    await everything(caller(client));
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
