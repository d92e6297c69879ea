/**
 * policy.js - says whether sevq and the gateway route by the same files.
 *
 * Both read an openclaw.json with its includes. sevq tells the paths and a hash over the bytes of
 * all files; the same hash over the files of the gateway is made here.
 */
import { createHash } from 'node:crypto';
import { readFile, realpath } from 'node:fs/promises';

const short = (hash) => (hash ? hash.slice(0, 12) : 'none');
const real = (file) => realpath(file).catch(() => file);

/** null: a file cannot be read. */
async function hashOf(files) {
  const hash = createHash('sha256');
  try {
    for (const file of files) hash.update(await readFile(file));
  } catch {
    return null;
  }
  return hash.digest('hex');
}

/** { agree, text }. includes are looked for only where both have the same main file. */
export async function comparePolicies(client, gatewayFile) {
  const { file, hash, includes = [] } = await client.call('GET', '/v1/policy');
  const same = file !== null && (await real(file)) === (await real(gatewayFile));
  const ours = await hashOf(same ? [gatewayFile, ...includes] : [gatewayFile]);
  const agree = hash !== null && hash === ours;
  const sides = `policy ${short(hash)} of ${file ?? 'no file'}, this gateway ${short(ours)} of ${gatewayFile}`;
  return { agree, text: agree ? `${sides}: the same` : `${sides}: they differ; start sevqd with the gateway's own config` };
}
