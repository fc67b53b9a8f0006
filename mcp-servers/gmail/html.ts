import { setImmediate as nextTurn } from 'node:timers/promises';

/** Longer HTML is newsletters and attacks; the conversion runs on the thread that answers probes. */
const maxHtmlLength = 1_000_000;
/**
 * The parser's time grows with the square of the nesting: a megabyte of <div> would take half a minute. So many
 * opening tags take a fraction of a second however they are nested, and few mails have more.
 */
const maxTags = 15_000;

const hidden = ['img', '[hidden]', '[style*="display:none" i]', '[style*="display: none" i]'];

/** Mail's HTML as text: no styles, scripts or images, links as `text [address]`. Loaded when first needed. */
export async function convertHtml(html: string): Promise<string> {
  const { convert } = await import('html-to-text');
  // Many at once, as in a thread, let others have their turn between them.
  await nextTurn();
  const whole = boundTags(html.slice(0, maxHtmlLength));
  const headings = ['h1', 'h2', 'h3', 'h4', 'h5', 'h6'];
  const text = convert(whole, {
    wordwrap: false,
    limits: { maxDepth: 100, maxChildNodes: 20_000, ellipsis: '…' },
    selectors: [
      // A model is to read what a person sees: hidden text is where mail hides its instructions.
      ...hidden.map(selector => ({ selector, format: 'skip' })),
      { selector: 'a', options: { hideLinkHrefIfSameAsText: true } },
      ...headings.map(selector => ({ selector, options: { uppercase: false } })),
    ],
  });
  return whole.length < html.length ? `${text}\n… [cut: the HTML is too long]` : text;
}

/** Closing tags do not count: in comments and attributes they would only seem to close something. */
function boundTags(html: string): string {
  let tags = 0;
  for (const { index } of html.matchAll(/<[a-z]/gi)) {
    tags += 1;
    if (tags > maxTags) return html.slice(0, index);
  }
  return html;
}
