/** Who holds which events, and for how long. */
import { SESSION, code, eventLink, key, listView, plural, until, who } from './kit.js';

const LOOKED_UP = 20;
const IDS = 20;

/** Gives the first of these leases the ids of their events. */
export const lookUp = (found, get) => Promise.all(found.slice(0, LOOKED_UP).map(async (one) => {
  one.ids = await get(`/v1/leases/${one.leaseId}`).then(({ ids }) => ids, () => []);
}));

export const leases = listView({
  name: 'leases', title: 'Leases',
  id: (one) => one.leaseId,
  fields: [['queueKey', 'Session key'], ['consumer', 'Consumer']],
  caption: ({ rows }) => plural(rows.length, 'lease'),
  columns: [
    SESSION,
    ['Held by', (one) => [who(one.consumer), one.exclusive && ' alone']],
    ['Ends in', (one) => until(one.expiresAt), 'number'],
    ['Holds', 'leased', 'number'],
    ['Events', events],
    ['Lease', (one) => key(one.leaseId)],
  ],
  none: () => ['Nobody holds an event.', 'A lease begins when somebody takes events with ',
    code('sevq run'), ' or ', code('sevq lease'), '.'],
  more: ({ rows }, get) => lookUp(rows.sort((a, b) => a.expiresAt - b.expiresAt), get),
});

function events({ leased, ids = [] }) {
  const listed = ids.slice(0, IDS);
  return [listed.map((id) => [eventLink(id), ' ']), leased > listed.length && '…'];
}
