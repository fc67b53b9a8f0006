import { shorten } from './failure.ts';
import type { Refusal, TokenFailure } from './failure.ts';

const renew = 'store it with PUT /api/v1/api-keys/<name> of MiniMCP';

/** Why Google gave no access token, and what to do about it. */
export function explainTokenFailure({ kind, scope }: Pick<TokenFailure, 'kind' | 'scope'>, refusal: Refusal): string {
  const { error, description } = readOauthError(refusal);
  const said = description === '' ? error : `${error}: ${description}`;
  switch (error) {
    case 'invalid_grant':
      return kind === 'user'
        ? `Google no longer accepts the refresh token (${said}). It was revoked, the account's password changed, it was unused for six months, or the OAuth app is in publishing status "Testing", where refresh tokens end after seven days. Publish the app if it is in testing, make a new refresh token, and ${renew}.`
        : `Google did not accept the service account's signed request (${said}). Check that its key was not deleted, that "subject" is the address of an existing user of the Workspace, and that this machine's clock is right; if the key is gone, make a new one and ${renew}.`;
    case 'invalid_client':
    case 'deleted_client':
      return `Google does not know the OAuth client (${said}). Check clientId and clientSecret in the Cloud console under Credentials, and ${renew}.`;
    case 'unauthorized_client':
    case 'access_denied':
      return kind === 'user'
        ? `The refresh token was not made for this OAuth client (${said}). Make one with the same clientId and clientSecret, and ${renew}.`
        : `The service account may not act for this user (${said}). In the Workspace's Admin console, under Security, API controls, Domain-wide delegation, add its client id with the scope ${scope}; it takes effect within minutes.`;
    case 'invalid_scope':
      return `Google does not grant the scope ${scope} (${said}). Allow it for the OAuth app or the service account.`;
    case 'admin_policy_enforced':
    case 'org_internal':
      return `The administrator of this Google Workspace does not let the app in (${said}). Ask the administrator to allow it.`;
    default:
      break;
  }
  const { status } = refusal;
  if (status === 429) return `Google's token endpoint asks for fewer requests (429). Wait a minute and try again.`;
  if (status >= 500) return `Google's token endpoint has a problem of its own (${status}). Try again in a minute.`;
  return `Google gave no access token (${status}${said === '' ? '' : `: ${said}`}). Check the api key's values.`;
}

/** RFC 6749: `{error, error_description}`; Google's newer endpoints may answer with an object as error. */
function readOauthError({ data }: Refusal): { error: string; description: string } {
  const { error, error_description: description } = (typeof data === 'object' && data !== null ? data : {}) as Record<
    string,
    unknown
  >;
  const text = (value: unknown): string => (typeof value === 'string' ? shorten(value) : '');
  return { error: text(error), description: text(description) };
}
