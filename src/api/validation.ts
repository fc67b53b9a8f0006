import type { FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';
import { parse } from './pointer.ts';
import { ApiProblem, invalidBody, sentence } from './problem.ts';

/** Checks one part of a request against its zod schema: a wrong body is 422, everything else 400. */
export const validateInput: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  return (data: unknown) => {
    // Without a body there is null.
    const result = parse(schema, httpPart === 'body' && data === null ? undefined : data);
    if (result.errors === null) return { value: result.data };
    if (httpPart === 'body') return { error: invalidBody(result.errors) };
    const errors = result.errors.map(({ pointer, message }) => {
      const name = pointer.slice(1).split('/', 1)[0];
      return { pointer: httpPart === 'querystring' ? `?${name}` : `${name}`, message };
    });
    return { error: new ApiProblem('InvalidRequest', sentence(errors), { errors }) };
  };
};
