// A process that asks a page's data so many times a second, and tells its parent each second how many were answered.
// usage: node page-load.mjs URL REQUESTS_PER_SECOND whole|tagged
import { Agent, request } from 'node:http';

const [url, perSecond, kind] = process.argv.slice(2);
const tickMs = 10;
const agent = new Agent({ keepAlive: true, maxSockets: 16 });
let etag = '';
let answered = 0;
let owed = 0;

function ask() {
  const headers = kind === 'tagged' && etag ? { 'if-none-match': etag } : {};
  request(url, { agent, headers }, (response) => {
    etag = response.headers.etag ?? etag;
    response.resume();
    response.once('end', () => answered++);
  })
    .on('error', () => {})
    .end();
}

setInterval(() => {
  owed += (Number(perSecond) * tickMs) / 1000;
  for (; owed >= 1; owed--) ask();
}, tickMs);
setInterval(() => {
  process.send({ answered });
  answered = 0;
}, 1000);
process.once('disconnect', () => process.exit());
