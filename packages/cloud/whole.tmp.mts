import { startWholeCloud } from './src/compute/testing/whole-cloud.js';
const w = await startWholeCloud({ hv2012: 6003, hv2016: 10000 });
console.log(JSON.stringify({ url: w.cloud.url, pw: w.cloud.adminPassword }));
process.on('SIGTERM', () => { void w[Symbol.asyncDispose]().then(() => process.exit(0)); });
