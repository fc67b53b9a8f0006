/** A piece of a template: text as it is, or the value of an input. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'input'; readonly name: string };

const token = /\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_.-]*)\}|[{}]/g;

/** `{name}` is an input, `{{` and `}}` are braces. Null for a brace that is neither. */
export function parseTemplate(text: string): Piece[] | null {
  const pieces: Piece[] = [];
  let done = 0;
  for (const match of text.matchAll(token)) {
    const [found] = match;
    if (match.index > done) pieces.push({ kind: 'text', text: text.slice(done, match.index) });
    done = match.index + found.length;
    if (match[1] !== undefined) pieces.push({ kind: 'input', name: match[1] });
    else if (found.length === 2) pieces.push({ kind: 'text', text: found[0]! });
    else return null;
  }
  if (done < text.length) pieces.push({ kind: 'text', text: text.slice(done) });
  return pieces;
}

/** The names of the inputs in a template; none for one that is broken. */
export function inputsOf(text: string): string[] {
  return (parseTemplate(text) ?? []).flatMap(piece => (piece.kind === 'input' ? [piece.name] : []));
}

/** A text that a template says as it is. */
export function escapeTemplate(text: string): string {
  return text.replaceAll('{', '{{').replaceAll('}', '}}');
}

/**
 * The text with every input's value in its place; null when one of them has no value. A value is never looked
 * at for inputs again. What is longer than `longest` characters ends there: few inputs can make gigabytes.
 */
export function fillTemplate(
  template: readonly Piece[],
  valueOf: (name: string) => string | null,
  longest = Infinity,
): string | null {
  const values: string[] = [];
  for (const piece of template) {
    const value = piece.kind === 'text' ? piece.text : valueOf(piece.name);
    if (value === null) return null;
    values.push(value);
  }
  let filled = '';
  for (const value of values) {
    filled += value;
    if (filled.length > longest) break;
  }
  return filled;
}
