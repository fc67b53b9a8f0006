import { z } from 'zod';

/** A DNS label (RFC 1123): the name of an instance, a type, an api key or a node's resource. */
export const dnsLabel = z
  .string()
  .regex(
    /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
    'must be a DNS label: 1 to 63 lower-case letters, digits and "-", beginning and ending with a letter or digit',
  );

const labelName = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$/;
const labelValue = /^([A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?$/;

/** Labels as Kubernetes has them: qualified names to short values, at most 64 of them. */
export const labels = z
  .record(
    z.string().regex(labelName, 'must be a label name such as "team" or "example.com/team"'),
    z.string().regex(labelValue, 'must be at most 63 letters, digits, "-", "_" or "."'),
  )
  .refine(value => Object.keys(value).length <= 64, 'at most 64 labels');

export type Labels = z.infer<typeof labels>;
