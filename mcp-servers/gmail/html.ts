import { setImmediate as nextTurn } from 'node:timers/promises';
import type { HtmlToTextOptions, SelectorDefinition } from 'html-to-text';

/** Longer HTML is newsletters and attacks; the conversion runs on the thread that answers probes. */
const maxHtmlLength = 1_000_000;
/**
 * The parser's time grows with the square of the nesting: for each opening tag it looks through its open elements,
 * and for each closing one too. A megabyte would take half a minute. So many tags take a fraction of a second
 * however they are nested, and few mails have more.
 */
const maxOpening = 15_000;
const maxTags = 30_000;

/** How much HTML may still be converted: what one call reads has one together, be it in many parts or messages. */
export interface HtmlBudget {
  length: number;
  opening: number;
  /** Opening and closing. */
  tags: number;
  /** Something was cut: there is nothing left for what comes after. */
  spent: boolean;
}

export const createHtmlBudget = (): HtmlBudget => ({
  length: maxHtmlLength,
  opening: maxOpening,
  tags: maxTags,
  spent: false,
});

const hidden = ['img', '[hidden]', '[style*="display:none" i]', '[style*="display: none" i]'];
const headings = ['h1', 'h2', 'h3', 'h4', 'h5', 'h6'];
/** html-to-text throws where a list with Roman numerals comes to the ten thousandth. */
const unnumbered = { selector: 'ol', format: 'unorderedList' };

/**
 * Mail's HTML as text: no styles, scripts or images, links as `text [address]`; what the budget has no room for
 * is cut, and says so once. The converter is loaded when first needed. Throws why the signal aborted.
 */
export async function convertHtml(html: string, budget: HtmlBudget, signal: AbortSignal): Promise<string> {
  if (budget.spent) return '';
  const { convert } = await import('html-to-text');
  // Many at once, as in a thread, let others have their turn between them.
  await nextTurn();
  signal.throwIfAborted();
  const whole = takeFrom(budget, html);
  let text: string;
  try {
    text = tryForms(form => convert(whole, form));
  } catch {
    text = '[This HTML cannot be read here: open the message in Gmail.]';
  }
  return budget.spent ? `${text}\n… [cut: the HTML is too long]` : text;
}

/** The sender writes what the converter has to cope with: where it fails, less is asked of it. */
function tryForms(convert: (options: HtmlToTextOptions) => string): string {
  try {
    return convert(optionsWith([]));
  } catch {
    return convert(optionsWith([unnumbered]));
  }
}

function optionsWith(more: readonly SelectorDefinition[]): HtmlToTextOptions {
  return {
    wordwrap: false,
    limits: { maxDepth: 100, maxChildNodes: 20_000, ellipsis: '…' },
    selectors: [
      // A model is to read what a person sees: hidden text is where mail hides its instructions.
      ...hidden.map(selector => ({ selector, format: 'skip' })),
      { selector: 'a', options: { hideLinkHrefIfSameAsText: true } },
      ...headings.map(selector => ({ selector, options: { uppercase: false } })),
      ...more,
    ],
  };
}

/** As much of the HTML as the budget has room for. What only looks like a tag, as in a comment, counts too. */
function takeFrom(budget: HtmlBudget, html: string): string {
  let end = Math.min(html.length, budget.length);
  for (const { 0: start, index } of html.slice(0, end).matchAll(/<[a-z/]/gi)) {
    const opens = start !== '</';
    if (budget.tags === 0 || (opens && budget.opening === 0)) {
      end = index;
      break;
    }
    budget.tags -= 1;
    if (opens) budget.opening -= 1;
  }
  budget.length -= end;
  budget.spent = end < html.length;
  return html.slice(0, end);
}
