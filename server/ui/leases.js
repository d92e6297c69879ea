/** Who holds which events, and for how long. */
import { code, count, eventLink, h, listView, plural, sessionLink, until, who } from './kit.js';

const LOOKED_UP = 20;
const IDS = 20;

export const leases = listView({
  name: 'leases', title: 'Leases', path: '/v1/leases', limit: 100,
  rows: (data) => data.leases,
  id: (one) => one.leaseId,
  sessionKey: (one) => one.sessionKey,
  fields: [['queueKey', 'Session key'], ['consumer', 'Consumer']],
  caption: (data) => plural(data.leases.length, 'lease'),
  columns: (shown) => [
    ['Session', (one) => sessionLink(one.sessionKey, shown(one.sessionKey)), 'wide'],
    ['Held by', (one) => [who(one.consumer), one.exclusive && ' alone']],
    ['Ends in', (one) => until(one.expiresAt), 'number'],
    ['Holds', (one) => count(one.leased), 'number'],
    ['Events', events],
    ['Lease', (one) => h('span.id', one.leaseId), 'number'],
  ],
  none: ['Nobody holds an event.', 'A lease begins when somebody takes events with ', code('sevq run'), ', ',
    code('sevq lease'), ' or OpenClaw’s plugin. Events that are drained are not leased.'],

  async more({ leases: found }, get) {
    found.sort((a, b) => a.expiresAt - b.expiresAt);
    await Promise.all(found.slice(0, LOOKED_UP).map(async (one) => {
      one.ids = await get(`/v1/leases/${one.leaseId}`).then(({ ids }) => ids, () => []);
    }));
  },
});

function events({ leased, ids = [] }) {
  const listed = ids.slice(0, IDS);
  return [listed.map((id) => [eventLink(id), ' ']), leased > listed.length && `and ${count(leased - listed.length)} more`];
}
