import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { loopbackOfAll } from '../../specs/address.ts';
import type { Config } from '../config.ts';
import { ApiProblem } from './problem.ts';

const loopback = ['localhost', '127.0.0.1', '::1'];

/**
 * Refuses requests under a foreign name, and those that a foreign page makes: a web page whose name was
 * re-bound to this address still sends its own name. An address can not be re-bound, so a listener on all
 * addresses takes every one of them, and this machine's name.
 */
export function guardHosts(config: Pick<Config, 'apiHost' | 'node'>): (request: FastifyRequest) => void {
  const names = new Set([...loopback, config.apiHost.toLowerCase()]);
  const isOpen = loopbackOfAll(config.apiHost) !== null;
  if (isOpen) names.add(config.node.toLowerCase());
  const isServed = (name: string | null): boolean => name !== null && (names.has(name) || (isOpen && isIP(name) !== 0));

  return request => {
    const { host, origin } = request.headers;
    if (!isServed(hostName(`http://${host}`))) {
      throw new ApiProblem('ForeignHost', `this API is served as ${[...names].join(', ')}; see MINIMCP_API_HOST`);
    }
    if (origin !== undefined && !isServed(hostName(origin))) {
      throw new ApiProblem('ForeignOrigin', "of web pages, only this API's own may ask");
    }
  };
}

/** The name in a URL that is only scheme and authority; null when it is anything else. */
function hostName(url: string): string | null {
  const match = /^https?:\/\/(?:\[([0-9a-f:.]+)\]|([^/:@?#[\]\s]+))(?::\d{1,5})?$/i.exec(url);
  return (match?.[1] ?? match?.[2])?.toLowerCase() ?? null;
}
