/** So many lines a person reads in a status. */
const mostLines = 8;
const telling = /\b(error|exception|fatal|panic|cannot|can't|could not|failed|denied|not found|no such)\b/i;
/** Where it happened, and what Node says after everything: neither is what happened. */
const noise = /^\s+at |^Node\.js v\d|^\s*[\^~]+\s*$/;

/** Of what a program wrote before it ended, the lines that say why: its last ones, and the first that names an error. */
export function chooseWords(stderr: string): string {
  const lines = stderr.split('\n').filter(line => line.trim() !== '' && !noise.test(line));
  const last = lines.slice(-mostLines);
  const first = lines.findIndex(line => telling.test(line));
  if (first === -1 || first >= lines.length - mostLines) return last.join('\n');
  return [lines[first]!, '…', ...last.slice(2)].join('\n');
}
