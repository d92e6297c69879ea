/** The sessions that have events pending. */
import { badges } from './diagnosis.js';
import { SESSION, code, listView, moment, muted, plural, since } from './kit.js';

/** Takes over what the stream tells of a queue into its row. */
export function update(rows, { queueKey, ...fields }) {
  const row = rows.find((one) => one.sessionKey === queueKey);
  if (row) Object.assign(row, fields);
}

export const sessions = listView({
  name: 'sessions', title: 'Sessions',
  id: (one) => one.sessionKey,
  fields: [['prefix', 'Key begins with'], ['contains', 'Key contains'],
    ['problem', 'Problem', ['–', 'any', 'stranded', 'unattended', 'full', 'dead']],
    ['sort', 'Order by', ['key', 'problem', 'unattended', 'depth', 'oldest', 'newest']]],
  caption: (data) => plural(data.total, 'session'),
  change: (data, change) => update(data.rows, change),
  columns: [
    [...SESSION, badges],
    ['Ready', 'ready', 'number'],
    ['Leased', 'leased', 'number'],
    ['Delayed', 'delayed', 'number'],
    ['Unattended', (one) => since(one.readySinceTs), 'number'],
    ['Waiters', 'waiters', 'number'],
    ['Last taken', (one) => (one.lastTakenTs === null ? muted('never') :
      [moment(one.lastTakenTs), ' ', muted(one.lastTakenBy)])],
  ],
  none: () => ['No session has an event.', 'A session appears with its first event: ',
    code('sevq event --agent main "Backup finished"'), '.'],
});
