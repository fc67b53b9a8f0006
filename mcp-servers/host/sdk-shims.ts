import type { JsonSchemaType, JsonSchemaValidatorResult } from '@modelcontextprotocol/server';

/**
 * What build.ts puts in place of the SDK's `_shims`, which bring Ajv: 150 kB and a new instance for every
 * request. Hosts use it for nothing: input is checked by zod, and what a child sends is for its client to judge.
 */
export class DefaultJsonSchemaValidator {
  getValidator<T>(_schema: JsonSchemaType): (value: unknown) => JsonSchemaValidatorResult<T> {
    return value => ({ valid: true, data: value as T, errorMessage: undefined });
  }
}

export const CORS_IS_POSSIBLE = false;

export const noValidator = new DefaultJsonSchemaValidator();
