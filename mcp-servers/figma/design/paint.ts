import type { Effect, Paint, RGBA, Vector } from '@figma/rest-api-spec';
import { aliasOf, asId, asNumber, isVisible, listOf, short, word } from './raw.ts';

/** The visible paints, the topmost first: `#FF0000`, `linear-gradient(…)`, `image(ref=… fill)`. Empty without one. */
export function describePaints(paints: readonly Paint[] | undefined): string {
  return listOf(paints).filter(isVisible).map(describePaint).toReversed().join(' + ');
}

export function hasImage(paints: readonly Paint[] | undefined): boolean {
  return listOf(paints).some(paint => isVisible(paint) && paint.type === 'IMAGE');
}

function describePaint(paint: Paint): string {
  const blend = paint.blendMode !== undefined && paint.blendMode !== 'NORMAL' ? ` blend=${word(paint.blendMode)}` : '';
  return describeSource(paint, asNumber(paint.opacity) ?? 1) + blend;
}

function describeSource(paint: Paint, opacity: number): string {
  const faded = opacity === 1 ? '' : ` opacity=${short(opacity)}`;
  switch (paint.type) {
    case 'SOLID': {
      const variable = aliasOf(paint.boundVariables?.color);
      return describeColor(paint.color, opacity) + (variable === null ? '' : ` var=${variable}`);
    }
    case 'IMAGE':
      return `image(ref=${asId(paint.imageRef)} ${word(paint.scaleMode)})${faded}`;
    case 'PATTERN':
      return `pattern(node=${asId(paint.sourceNodeId)})${faded}`;
    case 'GRADIENT_LINEAR':
    case 'GRADIENT_RADIAL':
    case 'GRADIENT_ANGULAR':
    case 'GRADIENT_DIAMOND': {
      const stops = listOf(paint.gradientStops).map(
        ({ position, color }) => `${describeColor(color, 1)} ${short((asNumber(position) ?? 0) * 100)}%`,
      );
      const [from, to] = listOf(paint.gradientHandlePositions).map(describePoint);
      const kind = word(paint.type.slice('GRADIENT_'.length));
      return `${kind}-gradient(${from ?? '?'} to ${to ?? '?'}: ${stops.slice(0, 32).join(', ')})${faded}`;
    }
    default:
      return word((paint as { type?: unknown }).type);
  }
}

const describePoint = ({ x, y }: Vector): string => `${short(asNumber(x) ?? 0)},${short(asNumber(y) ?? 0)}`;

/** `#RRGGBB`, or `#RRGGBBAA` where it is not opaque. */
export function describeColor(color: Partial<RGBA> | undefined, opacity = 1): string {
  const channel = (value: unknown) =>
    Math.round(Math.min(1, Math.max(0, asNumber(value) ?? 0)) * 255)
      .toString(16)
      .padStart(2, '0')
      .toUpperCase();
  const alpha = (asNumber(color?.a) ?? 1) * opacity;
  return `#${channel(color?.r)}${channel(color?.g)}${channel(color?.b)}${alpha >= 1 ? '' : channel(alpha)}`;
}

/** `shadow(0 4 12 #00000040)`: offset x and y, radius, and the spread where there is one. */
export function describeEffects(effects: readonly Effect[] | undefined): string {
  return listOf(effects)
    .filter(effect => isVisible(effect as { visible?: boolean }))
    .map(describeEffect)
    .join(' + ');
}

function describeEffect(effect: Effect): string {
  if (effect.type === 'LAYER_BLUR') return `blur(${short(asNumber(effect.radius) ?? 0)})`;
  if (effect.type === 'BACKGROUND_BLUR') return `background-blur(${short(asNumber(effect.radius) ?? 0)})`;
  if (effect.type !== 'DROP_SHADOW' && effect.type !== 'INNER_SHADOW') return word(effect.type);
  const { offset, radius, spread, color } = effect;
  const lengths = [offset?.x, offset?.y, radius, ...(spread ? [spread] : [])];
  const name = effect.type === 'DROP_SHADOW' ? 'shadow' : 'inner-shadow';
  return `${name}(${lengths.map(length => short(asNumber(length) ?? 0)).join(' ')} ${describeColor(color)})`;
}
