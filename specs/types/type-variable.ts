import { environmentName } from './values.ts';

/**
 * What the dynamic linker, Node, OpenSSL, shells, package managers, git and other languages obey in every program,
 * whatever it is: other code beside its secrets, or another way for its traffic. Of git only these: servers for git
 * have names of their own such as GIT_BASE_DIR.
 */
const obeyed = new RegExp(
  [
    '^(LD|DYLD|OPENSSL|SSL|NPM_CONFIG|YARN|COREPACK|BUN|DENO|PIP)_',
    '^NODE_(?!ENV$)',
    '_(PROXY|CA_BUNDLE)$',
    '^(SSLKEYLOGFILE|GCONV_PATH|BASH_ENV|SHELLOPTS|BASHOPTS|PS4|PROMPT_COMMAND)$',
    '^GIT_(SSH|SSL|CONFIG|PROXY|TRACE|CURL)(_|$)',
    '^GIT_(EXEC_PATH|ASKPASS|EXTERNAL_DIFF|EDITOR|SEQUENCE_EDITOR|PAGER|TEMPLATE_DIR|DIR|COMMON_DIR|ALLOW_PROTOCOL)$',
    '^(PYTHON(PATH|HOME|STARTUP|BREAKPOINT|HTTPSVERIFY)|PERL5(LIB|OPT|DB)|RUBY(LIB|OPT)|DOTNET_STARTUP_HOOKS)$',
    '^(CLASSPATH|_JAVA_OPTIONS|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS)$',
  ].join('|'),
  // npm and many others take the names in any case.
  'i',
);

/**
 * An environment variable of a registered type. The document may be somebody else's and the program honest, so it
 * says nothing that the program would obey without having asked.
 */
export const typeVariable = environmentName.refine(
  name => !obeyed.test(name),
  'is reserved: programs obey it unasked and load other code or send their traffic elsewhere; set proxies and CA ' +
    "certificates in the controllers' environment, or in spec.config.env of an instance of type stdio",
);
