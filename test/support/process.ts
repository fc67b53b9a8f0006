import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Resident memory. */
export function memoryMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) / 1024;
}

/** Open descriptors but for connections of clients, which last as long as those like: files, pipes, a child's sockets. */
export function countDescriptors(pid: number): number {
  const connections = new Set(
    readFileSync(`/proc/${pid}/net/tcp`, 'latin1')
      .split('\n')
      .slice(1)
      .map(line => `socket:[${line.trim().split(/\s+/)[9]}]`),
  );
  return readdirSync(`/proc/${pid}/fd`).filter(fd => !connections.has(readLink(`/proc/${pid}/fd/${fd}`))).length;
}

/** Empty for one that is closed by now. */
function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** Processes it has started and that are not yet reaped. */
export function countChildren(pid: number): number {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).length;
}

/** How often it has read so far, whatever it was. */
export function countReads(pid: number): number {
  return Number(/^syscr: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))![1]);
}

/** Bytes it has written so far, wherever to. */
export function countWritten(pid: number): number {
  return Number(/^wchar: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))![1]);
}
