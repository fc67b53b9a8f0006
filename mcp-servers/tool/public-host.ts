/**
 * https at a public host name and the usual port, without credentials. What a vendor's answer leads to must not
 * be in the network that this runs in.
 */
export function isPublic({ protocol, hostname, port, username, password }: URL): boolean {
  const publicName = /^(?!.*\.(local|localhost|internal|home\.arpa)\.?$)([a-z0-9-]+\.)+[a-z][a-z0-9-]+\.?$/;
  const bare = username === '' && password === '';
  return bare && protocol === 'https:' && port === '' && publicName.test(hostname);
}
