/** The sessions that have events pending. */
import { badges } from './diagnosis.js';
import { address, code, count, h, listView, moment, muted, plural, sessionLink, since } from './kit.js';

const PROBLEMS = { '': 'all sessions', any: 'with any problem', stranded: 'stranded', unattended: 'unattended',
  full: 'nearly full', dead: 'with dead letters' };
const SORTS = { '': 'by key', problem: 'worst first', unattended: 'unattended longest', depth: 'most events',
  oldest: 'oldest event', newest: 'newest event' };

/** Takes over what the stream tells of a queue into its row. */
export function update(rows, { queueKey, ...fields }) {
  const row = rows.find((one) => one.sessionKey === queueKey);
  if (row) Object.assign(row, fields);
}

const number = (name, field) => [name, (one) => (one[field] === 0 ? muted('0') : count(one[field])), 'number'];

export const sessions = listView({
  name: 'sessions', title: 'Sessions', path: '/v1/sessions', limit: 100,
  rows: (data) => data.sessions,
  id: (one) => one.sessionKey,
  sessionKey: (one) => one.sessionKey,
  fields: [['prefix', 'Key begins with'], ['contains', 'Key contains'],
    ['problem', 'Show', PROBLEMS], ['sort', 'Order', SORTS]],
  caption: (data) => plural(data.total, 'session'),
  change: (data, change) => update(data.sessions, change),
  columns: (shown) => [
    ['Session', (one) => [sessionLink(one.sessionKey, shown(one.sessionKey)), ' ', badges(one)], 'wide'],
    number('Ready', 'ready'), number('Leased', 'leased'), number('Delayed', 'delayed'),
    ['Unattended', (one) => (one.readySinceTs === null ? muted('–') : since(one.readySinceTs)), 'number'],
    number('Waiters', 'waiters'),
    ['Last taken', (one) => (one.lastTakenTs === null ? muted('never') :
      [moment(one.lastTakenTs), one.lastTakenBy && [' ', muted(one.lastTakenBy)]])],
  ],
  none: ['No session has an event.', 'A session appears with its first event: ',
    code('sevq event --agent main "Backup finished"'), '. Events that were taken are in ',
    h('a', { href: address('history') }, 'the history'), '.'],
});
